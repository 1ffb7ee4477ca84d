// Draws what the device keeps into the page; changes nothing but the page.

import { proof, slipName } from "./offline-device.js";
import { drawing } from "./offline-qr.js";
import { clockOf, dayOf, rupiah, say, shortDay, state } from "./offline-words.js";

export const $ = (selector, within = document) => within.querySelector(selector);
const NS = "http://www.w3.org/2000/svg";
const CLOCK = 120_000; // ms of a wrong clock that people are told of

export function screen(name) {
  for (const each of document.querySelectorAll("[data-screen]")) each.hidden = each.dataset.screen !== name;
  $("[data-band]").hidden = name === "proof"; // the paper bears its own
}

export function why(within, sentence) {
  const box = $("[data-why]", within);
  box.hidden = !sentence;
  box.lastElementChild.textContent = sentence;
}

// Always on top: how many are not with the market yet.
export function queue(kept, timezone) {
  const n = kept.slips.filter((slip) => slip.state === "queued").length + kept.events.filter((event) => !event.sent).length;
  const time = kept.sync.sent_at && clockOf(kept.sync.sent_at, timezone);
  const text = n ? say(time ? "unsent-at" : "unsent", { n, time }) : say(time ? "sent-at" : "sent", { time });
  $("[data-queue]").hidden = !kept.device;
  $("[data-queue-state]").replaceChildren(state(n ? "pending" : "done", text));
  $("[data-send]").hidden = n === 0;
}

// The one thing a person must know now, the gravest first.
export function notice({ sync, device, slips, events }, { full, stale, closed }) {
  const trouble = slips.filter((slip) => slip.state === "held" || slip.state === "refused").length + events.filter((event) => event.reason).length;
  const minutes = Math.round(Math.abs(sync.offset ?? 0) / 60_000);
  const name = full ? "full" : device?.revoked ? "revoked" : ["signin", "refused"].includes(sync.trouble) ? sync.trouble
    : stale ? "stale" : closed ? "closed" : Math.abs(sync.offset ?? 0) > CLOCK ? "clock" : trouble ? "trouble" : "";
  $("[data-notice]").hidden = !name;
  if (!name) return;
  $("[data-notice-title]").textContent = say(`${name}-title`, { minutes, n: trouble });
  $("[data-notice-text]").textContent = say(`${name}-text`, { words: sync.words ?? "" });
  $("[data-notice-signin]").hidden = name !== "signin";
  $("[data-notice-download]").hidden = name !== "stale";
  $("[data-notice-enrol]").hidden = name !== "revoked";
}

export function walk(round, standing, here, { blocked, device }) {
  $("[data-brand]").textContent = round.market_name;
  $("[data-over]").textContent = `${say("session", { name: round.session_name })} · ${dayOf(round.business_day)}`;
  $("[data-title]").textContent = say("progress", standing);
  $("[data-taken]").textContent = rupiah(standing.taken);
  $("[data-loaded]").textContent = say("loaded", { time: clockOf(round.loaded_at, round.timezone), name: device.name, device: device.device });
  strip(standing.stops, here);
  $("[data-stop]").hidden = !here;
  $("[data-finished]").hidden = Boolean(here) || standing.total === 0;
  if (here) stop(here, blocked);
  const waits = (each) => each.state === "due" || each.state === "seasonal";
  $("[data-waiting]").replaceChildren(...standing.stops.filter(waits).map((each) => row(each.code, `#place-${each.place_id}`, side(each), each.owed ? rupiah(each.owed) : "–")));
  $("[data-done]").replaceChildren(...standing.stops.filter((each) => !waits(each)).map((each) => row(each.code, `#place-${each.place_id}`, "", end(each))));
}

function side(each) {
  if (each.state === "seasonal") return say("seasonal");
  if (each.paid) return say("part-paid", { paid: rupiah(each.paid) });
  return each.holder;
}

function end(each) {
  if (each.state === "closed") return state("none", say(each.visit));
  return state("done", each.paid ? say("paid-amount", { paid: rupiah(each.paid) }) : say("paid"));
}

function stop(here, blocked) {
  const box = $("[data-stop]");
  const pays = here.state !== "seasonal";
  $("[data-code]", box).textContent = here.code;
  $("[data-kind]", box).textContent = [here.holder, here.goods].filter(Boolean).join(" · ");
  $("[data-said]", box).replaceChildren(...said(here));
  const both = here.before > 0 && here.today > 0;
  for (const [scope, amount, shown] of [["all", here.owed, here.owed > 0], ["today", here.today, both]]) {
    const button = $(`[data-pay=${scope}]`, box);
    button.hidden = !shown || blocked;
    button.lastElementChild.textContent = rupiah(amount);
  }
  $("[data-check-in]", box).hidden = pays || blocked;
  $("[data-other]", box).hidden = !pays || blocked;
  $("[data-onward]", box).hidden = here.state !== "paid" && here.state !== "closed";
  $("[data-none]", box).hidden = here.state === "paid" || blocked;
  qris($("[data-qris]", box), here);
  $("[data-slips]", box).replaceChildren(...here.slips.map((slip) => row(slipName(slip), `#slip-${slipName(slip)}`, "", rupiah(slip.amount))));
  why(box, "");
}

// The place's own QR: whoever has a signal pays with it, also where the collector has none.
function qris(box, here) {
  const address = `${location.origin}/pay/${encodeURIComponent(here.pay_code ?? "")}`;
  box.hidden = !here.pay_code || here.owed === 0;
  if (box.dataset.of === address) return;
  box.dataset.of = address;
  box.open = false;
  $("a", box).href = address;
  $("[data-place-qr]", box).setAttribute("aria-label", say("place-qr", { code: here.code }));
  $("[data-place-qr]", box).replaceChildren(drawing(address));
}

function said(here) {
  if (here.state === "paid") return [state("done", here.paid ? say("paid-amount", { paid: rupiah(here.paid) }) : say("paid"))];
  if (here.state === "closed") return [state("none", say(here.visit))];
  if (here.state === "seasonal") {
    const fee = here.fee_at_check_in ? ` · ${say("fee", { amount: rupiah(here.fee_at_check_in) })}` : "";
    return [state("waiting", say("seasonal-due") + fee)];
  }
  if (here.paid) return [state("waiting", say("part", { paid: rupiah(here.paid), owed: rupiah(here.owed) }))];
  return [state("waiting", here.before && here.since ? say("due-since", { since: shortDay(here.since) }) : say("due"))];
}

function strip(stops, here) {
  const columns = 24;
  const svg = $("[data-strip]");
  svg.setAttribute("viewBox", `0 0 ${columns * 15} ${Math.ceil(stops.length / columns) * 20 || 20}`);
  svg.setAttribute("aria-label", $("[data-title]").textContent);
  svg.replaceChildren(
    ...stops.map((each, i) => {
      const square = document.createElementNS(NS, "rect");
      const at = { x: (i % columns) * 15 + 1, y: Math.floor(i / columns) * 20 + 1, width: 11, height: 15 };
      for (const [name, value] of Object.entries(at)) square.setAttribute(name, value);
      const kind = each.place_id === here?.place_id ? "here" : each.state === "paid" || each.state === "closed" ? each.state : "todo";
      square.setAttribute("class", `sq ${kind}`);
      return square;
    }),
  );
}

function row(text, href, beside, last) {
  const made = $("template[data-row]").content.firstElementChild.cloneNode(true);
  $("[data-link]", made).href = href;
  $("b", made).textContent = text;
  $("[data-side]", made).textContent = beside;
  $("[data-end]", made).replaceChildren(last);
  if (typeof last === "string") $("[data-end]", made).className = "num";
  return made;
}

const KINDS = { queued: ["pending", "queued"], taken: ["done", "taken"], held: ["needs", "held"], refused: ["needs", "rejected"] };

// Every slip of this device, the newest first, with what became of it and, where something is to be done, what.
export function slips(kept) {
  const list = [...kept.slips].sort((a, b) => b.issued.localeCompare(a.issued) || b.number - a.number).slice(0, 200);
  $("[data-sent] ul").replaceChildren(
    ...list.map((slip) => {
      const [kind, word] = KINDS[slip.state];
      const made = row(slipName(slip), `#slip-${slipName(slip)}`, `${slip.place} · ${rupiah(slip.amount)}`, state(kind, say(word)));
      const told = reason(slip);
      if (told) {
        const line = document.createElement("p");
        line.textContent = told;
        made.append(line);
      }
      return made;
    }),
  );
  const refused = kept.events.filter((event) => event.reason);
  $("[data-sent] ul").prepend(...refused.map((event) => row(event.place, `#place-${event.place_id}`, say(event.kind === "check_in" ? "not-here" : "not-noted"), event.reason)));
  $("[data-sent]").hidden = list.length + refused.length === 0;
}

function reason(slip) {
  if (slip.state === "held") return say("held-what", { reason: slip.reason ?? "" });
  if (slip.state === "refused") return say("rejected-what", { reason: slip.reason ?? "" });
  return "";
}

// The paper a vendor takes: on the screen, photographed, or printed 58 mm wide.
export function paper(slip, round) {
  const part = (name) => $(`[data-proof=${name}]`);
  const [kind] = KINDS[slip.state];
  part("market").textContent = round?.market_name ?? "";
  part("state").replaceChildren(state(slip.state === "queued" ? "done" : kind, say({ queued: "saved", taken: "taken", held: "held", refused: "rejected" }[slip.state])));
  part("amount").textContent = rupiah(slip.amount);
  part("when").textContent = `${dayOf(slip.day)}, ${clockOf(slip.issued, round?.timezone)}`;
  part("place").textContent = say("place", { place: slip.place, session: round?.session_name ?? slip.session });
  part("credit").textContent = rupiah(slip.credit ?? 0);
  $("[data-proof-row=credit]").hidden = !slip.credit;
  part("receipt").textContent = slip.receipt ?? "";
  $("[data-proof-row=receipt]").hidden = !slip.receipt;
  part("number").textContent = slipName(slip);
  if (part("qr").dataset.of !== slipName(slip)) part("qr").replaceChildren(drawing(proof(slip)));
  part("qr").dataset.of = slipName(slip);
  part("reason").textContent = reason(slip);
  part("reason").hidden = !part("reason").textContent;
}
