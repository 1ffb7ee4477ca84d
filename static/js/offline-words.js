// Sentences stand in the page, in the reader's language: <template data-words><i data-word="unsent">{n} belum terkirim</i>…

const words = new Map();
for (const word of document.querySelector("template[data-words]").content.querySelectorAll("[data-word]")) words.set(word.dataset.word, word.textContent);
const locale = document.documentElement.lang === "id" ? "id-ID" : "en-GB";

export function say(name, values = {}) {
  return words.get(name).replaceAll(/\{(\w+)\}/g, (_, key) => values[key]);
}

export function rupiah(amount) {
  return `Rp\u00a0${amount.toLocaleString(locale)}`;
}

// "8.325" or "8325" → 8325; NaN for anything else.
export function amountOf(text) {
  const plain = text.trim().replace(/^Rp\s*/i, "");
  return /^[1-9]\d{0,2}(\.\d{3})*$|^[1-9]\d*$/.test(plain) ? Number(plain.replaceAll(".", "")) : Number.NaN;
}

export function dayOf(day) {
  return new Date(`${day}T00:00:00Z`).toLocaleDateString(locale, { timeZone: "UTC", weekday: "long", day: "numeric", month: "long", year: "numeric" });
}

export function shortDay(day) {
  return new Date(`${day}T00:00:00Z`).toLocaleDateString(locale, { timeZone: "UTC", day: "numeric", month: "short" });
}

export function clockOf(moment, timeZone) {
  return new Date(moment).toLocaleTimeString("id-ID", { timeZone, hour: "2-digit", minute: "2-digit" });
}

// <span class="state …"> with its icon and word; kind is done | waiting | needs | none | pending.
export function state(kind, text) {
  const drawn = document.querySelector(`template[data-state="${kind}"]`).content.firstElementChild.cloneNode(true);
  drawn.lastElementChild.textContent = text;
  return drawn;
}
