// Sends what the device keeps, in order and in pieces, and applies the answers. One tab sends at a time; a cut is sent again.

import { sentence } from "./offline-device.js";
import { ahead } from "./offline-round.js";
import { look, write } from "./offline-store.js";

const PIECE = 20; // 10 kB: what a poor line carries before it breaks
const PATIENCE = 20_000; // ms until an answer is given up; the same piece again is the same payment
const FIRST = 2_000;
const LONGEST = 300_000;
const KEPT = 40 * 86_400_000; // what the market has taken stays on the device this long

let wait = FIRST;
let held = false; // ask again what became of slips that a person had to decide on
let timer;
let told = () => {};

// `changed` is called whenever what is kept has changed, here or in another tab.
export function begin(changed) {
  told = changed;
  const others = new BroadcastChannel("collect");
  others.onmessage = () => changed();
  told = () => {
    others.postMessage("changed");
    return changed();
  };
  addEventListener("online", () => now());
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) now();
  });
  return now();
}

export function changed() {
  return told();
}

// Send at once; after a cut, again after 2 s, 4 s … 5 minutes, until nothing waits.
export async function now(asked = {}) {
  held ||= Boolean(asked.held);
  wait = FIRST;
  return attempt();
}

async function attempt() {
  clearTimeout(timer);
  const left = await navigator.locks.request("collect-send", { ifAvailable: true }, (lock) => (lock ? send() : "busy")).catch(() => "again");
  if (left === "again" || left === "busy") { // an answer that could not be kept is asked for again: the market repeats it
    timer = setTimeout(attempt, wait);
    wait = Math.min(wait * 2, LONGEST);
  }
}

// "done", "again" (a cut) or "stop" (a person must do something first). Holds the lock.
async function send() {
  for (;;) {
    const kept = await look();
    const again = held;
    held = false;
    const slips = ["queued", ...(again ? ["held"] : [])].flatMap((wanted) => kept.slips.filter(({ state }) => state === wanted));
    const events = kept.events.filter(({ sent }) => !sent);
    const device = [...slips, ...events][0]?.device; // an earlier one of this phone may have left some
    if (!device) {
      if (kept.sync.trouble) await trouble("");
      return "done";
    }
    const own = slips.filter((slip) => slip.device === device);
    const queue = own.slice(0, PIECE);
    const notes = events.filter((event) => event.device === device).slice(0, PIECE);
    let answer;
    let said;
    const asked = Date.now();
    try {
      answer = await fetch("/api/v1/slips/sync", {
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json" },
        body: JSON.stringify(piece(device, queue, notes, own.length - queue.length)),
        redirect: "error",
        signal: AbortSignal.timeout(PATIENCE),
      });
      said = await answer.json();
    } catch {
      held = again;
      await trouble("cut");
      return "again";
    }
    if (answer.status !== 200) {
      const retry = answer.status >= 500 || answer.status === 429 || answer.status === 409;
      await trouble(answer.status === 401 ? "signin" : retry ? "cut" : "refused", sentence(said));
      return retry ? "again" : "stop";
    }
    if (!(await apply(said, queue, notes, ahead(said.server_time, asked, Date.now())))) return "stop";
    wait = FIRST;
  }
}

function piece(device, queue, notes, waiting) {
  const of = (kind) => notes.filter((each) => each.kind === kind);
  return {
    device,
    sent_at: new Date().toISOString(),
    waiting,
    slips: queue.map(({ body, signature }) => ({ body, signature })),
    visits: of("visit").map(({ place_id, permit, outcome, note, at }) => ({ place_id, permit, outcome, note, at })),
    check_ins: of("check_in").map(({ permit, at }) => ({ permit, at })),
  };
}

// Each slip gets its answer; one that was not answered stays in the queue. Notes are done once the market answered at all.
// False where no slip was answered: the same piece must not be sent round and round.
async function apply(said, queue, notes, offset) {
  const answers = new Map(said.slips.map((row) => [row.number, row]));
  const acts = { visit: [...said.visits], check_in: [...said.check_ins] };
  await write(["kept", "slips", "events"], async ({ get, put }) => {
    for (const slip of queue) {
      const row = answers.get(slip.number);
      if (row) await put("slips", { ...slip, state: row.outcome === "repeated" ? "taken" : row.outcome, receipt: row.receipt, credit: row.credit, reason: row.reason });
    }
    for (const event of notes) await put("events", { ...event, sent: true, reason: acts[event.kind].shift()?.reason ?? "" });
    const device = await get("kept", "device");
    if (device?.device === (queue[0] ?? notes[0]).device) {
      const next = Math.max(device.next, said.next_number);
      await put("kept", { ...device, next, revoked: said.device_revoked ?? device.revoked }, "device");
    }
    await put("kept", { sent_at: new Date().toISOString(), offset, trouble: "" }, "sync");
  });
  await told();
  return !queue.length || queue.some(({ number }) => answers.has(number));
}

async function trouble(kind, words = "") {
  await write(["kept"], async ({ get, put }) => put("kept", { ...(await get("kept", "sync")), trouble: kind, words }, "sync")).catch(() => {});
  await told();
}

// The morning's round of a session, kept for the day; slips and notes answered before are in its figures from now on.
// Not while another tab sends, so that no answer falls between question and figures. Resolves to "" or the server's refusal.
export function download(market, session, device) {
  return navigator.locks.request("collect-send", async () => {
    const asked = Date.now();
    const query = new URLSearchParams({ market, session, ...(device ? { device } : {}) });
    const answer = await fetch(`/collect/round.json?${query}`, { headers: { accept: "application/json" }, cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(PATIENCE) });
    if (answer.type === "opaqueredirect" || answer.status === 401) {
      await trouble("signin");
      return "signin";
    }
    const round = await answer.json();
    if (!answer.ok) return sentence(round) || "refused";
    const offset = ahead(round.server_time, asked, Date.now());
    await write(["kept", "rounds", "slips", "events"], async ({ get, all, put, remove }) => {
      await put("rounds", { ...round, loaded_at: new Date().toISOString() });
      await put("kept", { ...(await get("kept", "sync")), offset, trouble: "" }, "sync");
      const kept = await get("kept", "device");
      if (kept) await put("kept", { ...kept, revoked: round.device_revoked, next: Math.max(kept.next, round.device === kept.device ? round.device_next_number : 1) }, "device");
      for (const slip of await all("slips")) if (slip.state !== "queued" && slip.state !== "held" && !slip.counted) await put("slips", { ...slip, counted: true });
      for (const event of await all("events")) if (event.sent && !event.counted) await put("events", { ...event, counted: true });
      const old = new Date(Date.parse(round.business_day) - KEPT).toISOString().slice(0, 10);
      for (const slip of await all("slips")) if (slip.day < old && slip.state === "taken") await remove("slips", [slip.device, slip.number]);
      for (const event of await all("events")) if (event.day < old && event.sent) await remove("events", event.id);
    });
    await told();
    return "";
  });
}
