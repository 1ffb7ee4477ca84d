// The walk as it stands on this device: the downloaded round, less what was taken here since. No clock, no storage, no page.

// `round` as downloaded, the device's slips and events → {stops, done, total, taken}; rupiah. A slip whose answer is already in the
// round's own figures (`counted`) is not taken off twice.
export function standing(round, slips, events) {
  const ours = (row) => row.session === round.session && row.day === round.business_day;
  const stops = round.places.filter((place) => place.permit).map((place) => stop(place, slips.filter((s) => ours(s) && s.permit === place.permit), events.filter((e) => ours(e) && e.permit === place.permit)));
  const done = stops.filter(({ state }) => state === "paid" || state === "closed").length;
  const taken = slips.filter(ours).reduce((sum, slip) => sum + slip.amount, 0);
  return { stops, done, total: stops.length, taken };
}

function stop(place, slips, events) {
  let today = place.owed_today;
  let before = place.owed_before;
  let here = !place.seasonal || place.checked_in || place.owed_today > 0;
  let visit = place.state === "closed" ? (place.visit ?? "closed") : "";
  for (const event of events) {
    if (event.kind === "visit") visit = event.outcome;
    else if (!here) {
      here = true;
      today += place.fee_at_check_in ?? 0;
    }
  }
  for (const slip of slips) {
    if (slip.counted) continue;
    let left = slip.amount;
    if (slip.scope === "all") {
      const old = Math.min(before, left);
      before -= old;
      left -= old;
    }
    today -= Math.min(today, left);
  }
  const owed = today + before;
  const paid = slips.reduce((sum, slip) => sum + (slip.state === "refused" ? 0 : slip.amount), 0);
  return { ...place, today, before, owed, paid, visit, here, slips, state: state({ owed, paid, visit, here }) };
}

function state({ owed, paid, visit, here }) {
  if (owed === 0 && (paid > 0 || here)) return "paid";
  if (visit) return "closed";
  return here || owed > 0 ? "due" : "seasonal";
}

// The first place after `id` in walking order that still waits, from the start again after the last; null where none does.
export function following(stops, id) {
  const at = stops.findIndex((each) => each.place_id === id);
  const ahead = [...stops.slice(at + 1), ...stops.slice(0, Math.max(at, 0))];
  const waits = ({ state }) => state === "due" || state === "seasonal";
  return ahead.find((each) => waits(each) && !each.paid) ?? ahead.find(waits) ?? null;
}

// The place a scanned card, a code or typed words mean: its pay code (or the address that ends in it), its code, or the trading name.
export function found(stops, text) {
  const plain = (value) => String(value ?? "").toUpperCase().replaceAll(/[^A-Z0-9]/g, "");
  const code = plain(text.match(/\/pay\/([^/?#\s]+)/)?.[1] ?? text);
  if (!code) return [];
  const exact = stops.filter((each) => plain(each.pay_code) === code || plain(each.code) === code);
  return exact.length ? exact : stops.filter((each) => plain(each.code).startsWith(code) || (code.length > 2 && plain(each.holder).includes(code)));
}

// How much later than the server this device's clock is, in ms, from an answer's `server_time` and the moments around it.
export function ahead(serverTime, asked, answered) {
  return Math.round((asked + answered) / 2 - Date.parse(serverTime));
}
