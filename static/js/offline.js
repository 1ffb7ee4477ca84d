// The collector's round on the device: enrol once, download in the morning, take money without a signal, send when there is one.
// The address says what is shown: # the walk, #place-17 a place, #slip-12 the proof of a payment.

import { enrol, Full, issue, note, Refused, slipName } from "./offline-device.js";
import { following, found, standing } from "./offline-round.js";
import { canScan, scan } from "./offline-scan.js";
import * as screens from "./offline-screens.js";
import { look, room } from "./offline-store.js";
import * as sync from "./offline-sync.js";
import { amountOf, rupiah, say } from "./offline-words.js";

const { $ } = screens;
const LARGEST = 100_000_000; // rupiah on one slip
const FRESH = 600_000; // ms
let kept;
let session = sessionStorage.getItem("session") ?? "";
let full = false;
let busy = false;
let last = null; // the place served last, so that the next one follows it
let hand = null; // the place shown stays under the thumb until the person moves on, whatever is sent or fetched meanwhile

if (fit()) start();
else screens.screen("unfit");

function fit() {
  return Boolean(globalThis.crypto?.subtle && globalThis.indexedDB && navigator.locks && globalThis.BroadcastChannel);
}

async function start() {
  navigator.serviceWorker?.register("/collect/worker.js", { scope: "/collect" }).catch(() => {});
  listen();
  await render();
  full = !(await room());
  await render();
  await sync.begin(render);
  await refresh();
}

// With a signal the round is kept fresh: who paid by QRIS meanwhile is not asked again.
async function refresh() {
  const round = current();
  const old = round && !stale(round) && Date.now() - Date.parse(round.loaded_at) > FRESH;
  if (old && navigator.onLine && !busy) await sync.download(round.market, round.session, kept.device.device).catch(() => {});
}

// What is shown follows from what is kept and the address; called after every change of either.
async function render() {
  kept = await look();
  const round = current();
  screens.queue(kept, round?.timezone);
  screens.notice(kept, { full, stale: round && stale(round), closed: round?.closed });
  screens.slips(kept);
  const [, kind, id] = location.hash.match(/^#(place|slip|download|enrol)-?(.*)$/) ?? [];
  if (!kept.device || kind === "enrol") return screens.screen("enrol");
  if (kind === "slip") {
    const slip = kept.slips.find((each) => slipName(each) === id);
    if (slip) return shown(slip, round);
  }
  if (!round || kind === "download") return offer();
  const walk = standing(round, kept.slips, kept.events);
  const asked = kind === "place" && walk.stops.find((each) => each.place_id === Number(id));
  const here = asked || walk.stops.find((each) => each.place_id === hand) || following(walk.stops, last);
  hand = here?.place_id ?? null;
  $("[data-stop]").dataset.place = hand ?? "";
  screens.walk(round, walk, here, { blocked: blocked(round), device: kept.device });
  sessions();
  screens.screen("walk");
}

function current() {
  const own = kept.rounds.filter(({ market }) => market === kept.device?.market);
  return own.find((each) => each.session === session) ?? own.sort((a, b) => b.loaded_at.localeCompare(a.loaded_at))[0];
}

function stale(round) {
  return Date.now() - (kept.sync.offset ?? 0) >= Date.parse(round.business_day_ends);
}

function blocked(round) {
  return full || stale(round) || round.closed || kept.device.revoked;
}

function offer() {
  for (const button of document.querySelectorAll("[data-download]")) button.hidden = button.dataset.market !== kept.device.market;
  screens.screen("download");
}

function sessions() {
  const own = kept.rounds.filter(({ market }) => market === kept.device.market);
  const box = $("[data-sessions]");
  box.hidden = own.length < 2;
  box.replaceChildren(
    ...own.map((each) => {
      const link = document.createElement("a");
      link.href = "#";
      link.textContent = each.session_name;
      if (each.session === current().session) link.setAttribute("aria-current", "true");
      link.addEventListener("click", () => choose(each.session));
      return link;
    }),
  );
}

function choose(code) {
  session = code;
  sessionStorage.setItem("session", code);
  last = hand = null;
  render();
}

function shown(slip, round) {
  last = slip.place_id;
  screens.paper(slip, round);
  screens.screen("proof");
}

// ---- acts ----

function listen() {
  addEventListener("hashchange", async () => {
    hand = null;
    await render();
    scrollTo(0, 0);
  });
  setInterval(() => render().then(refresh), 60_000); // the day may end while the page is open
  addEventListener("online", refresh);
  $("[data-send]").addEventListener("click", () => sync.now());
  $("[data-enrol]").addEventListener("submit", (event) => once(event, register));
  for (const button of document.querySelectorAll("[data-download]")) button.addEventListener("click", (event) => once(event, fetchRound));
  $("[data-again]").addEventListener("click", () => (location.hash = "#download"));
  for (const button of document.querySelectorAll("[data-pay]")) button.addEventListener("click", (event) => once(event, () => pay(button.dataset.pay)));
  $("[data-pay-other]").addEventListener("submit", (event) => once(event, payOther));
  $("#f-amount").addEventListener("input", explain);
  $("[data-visit]").addEventListener("submit", (event) => once(event, visit));
  $("[data-check-in]").addEventListener("click", (event) => once(event, () => tell({ kind: "check_in" })));
  $("[data-onward]").addEventListener("click", () => onward(hand));
  $("[data-find]").addEventListener("submit", (event) => once(event, (form) => find(form.elements.q.value)));
  const camera = $("[data-scan]");
  camera.hidden = !canScan();
  let stop;
  camera.addEventListener("click", async () => {
    if (stop && !stop.signal.aborted) return stop.abort();
    stop = new AbortController();
    const text = await scan($("[data-video]"), stop.signal);
    stop.abort();
    if (text) find(text);
  });
}

// One act at a time: a second tap while the first is being kept does nothing.
async function once(event, act) {
  event.preventDefault();
  if (busy) return;
  busy = true;
  try {
    await act(event.currentTarget ?? event.target);
  } finally {
    busy = false;
  }
}

async function register(form) {
  screens.why(form, "");
  try {
    await enrol(form.elements.code.value.trim(), form.elements.name.value.trim());
  } catch (error) {
    return screens.why(form, error instanceof Refused && error.message ? error.message : say("no-signal"));
  }
  location.hash = "#";
  return sync.changed();
}

async function fetchRound(button) {
  const box = button.closest("[data-screen]");
  screens.why(box, "");
  let refusal;
  try {
    refusal = await sync.download(button.dataset.market, button.dataset.download, kept.device.device);
  } catch {
    refusal = "no-signal";
  }
  if (refusal) return screens.why(box, refusal === "no-signal" ? say("no-signal") : refusal === "signin" ? say("sign-in") : refusal);
  choose(button.dataset.download);
  location.hash = "#";
  sync.now({ held: true });
}

function here() {
  const round = current();
  const id = Number($("[data-stop]").dataset.place);
  return { round, place: standing(round, kept.slips, kept.events).stops.find((each) => each.place_id === id) };
}

async function pay(scope, amount) {
  const { round, place } = here();
  if (blocked(round)) return render();
  try {
    const slip = await issue(round, place, amount ?? (scope === "today" ? place.today : place.owed), scope);
    location.hash = `#slip-${slipName(slip)}`;
    $("[data-pay-other]").reset();
    $("[data-explained]").textContent = "";
    $("[data-other]").open = false;
    await sync.changed();
    sync.now();
  } catch (error) {
    await lost(error);
  }
}

// Nothing was taken: say so before any money changes hands.
async function lost(error) {
  if (error instanceof Full) full = true;
  await render();
  screens.why($("[data-stop]"), full ? "" : say("not-saved"));
}

function payOther(form) {
  const amount = amountOf(form.elements.amount.value);
  if (Number.isNaN(amount) || amount > LARGEST) {
    $("[data-explained]").textContent = say(Number.isNaN(amount) ? "bad-amount" : "too-much");
    return form.elements.amount.focus();
  }
  return pay("all", amount);
}

// What the amount typed will do, before it is taken.
function explain(event) {
  const { place } = here();
  const amount = amountOf(event.target.value);
  const values = { paid: rupiah(amount), owed: rupiah(place.owed), left: rupiah(place.owed - amount), credit: rupiah(amount - place.owed) };
  const word = place.owed === 0 ? "only-credit" : amount === place.owed ? "exact" : amount < place.owed ? "less" : "more";
  $("[data-explained]").textContent = Number.isNaN(amount) ? "" : say(word, values);
}

async function visit(form) {
  await tell({ kind: "visit", outcome: form.elements.outcome.value, note: form.elements.note.value.trim().slice(0, 200) });
  form.reset();
  $("[data-none]").open = false;
}

async function tell(event) {
  const { round, place } = here();
  try {
    await note(kept.device.device, round, place, event);
  } catch (error) {
    return lost(error);
  }
  if (event.kind === "visit") onward(place.place_id);
  await sync.changed();
  sync.now();
}

function onward(from) {
  last = from;
  hand = null;
  location.hash = "#";
  render();
}

function find(text) {
  const { stops } = standing(current(), kept.slips, kept.events);
  const hits = found(stops, text);
  const box = $("[data-found]");
  box.hidden = hits.length === 1;
  if (hits.length === 1) {
    $("[data-find]").reset();
    location.hash = `#place-${hits[0].place_id}`;
  } else if (hits.length) box.textContent = say("found-many", { n: hits.length, places: hits.slice(0, 8).map((each) => each.code).join(", ") });
  else box.textContent = say("nothing-found");
}
