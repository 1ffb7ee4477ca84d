// The morning's sheet keeps each commodity on the device as it is typed (IndexedDB "sheet"), then sends it; without a signal it is sent later.
// Without this the button saves it all. A kept page (sheet-worker.js, form[data-kept]) shows what was typed since; nothing typed is dropped
// before the market has it or a person throws it away.

const form = document.querySelector("form[data-cells]");
const words = document.querySelector("template[data-words]");
const left = document.querySelector("[data-left]");
const LONGEST = 300_000;
const typing = new Map();
let wait = 2_000;
let timer;

if (globalThis.indexedDB && navigator.locks) start();

async function start() {
  install().catch(() => {});
  if (form) {
    for (const set of form.querySelectorAll("fieldset[id]")) set.dataset.base = JSON.stringify(typed(set));
    await refill();
    form.addEventListener("change", (event) => {
      const set = event.target.closest("fieldset[id]");
      if (!set) return;
      clearTimeout(typing.get(set));
      typing.set(set, setTimeout(() => keep(set), 300));
    });
    form.addEventListener("submit", submitted);
  }
  addEventListener("online", () => flush());
  document.querySelector("[data-resend]")?.addEventListener("click", () => flush());
  const kept = document.querySelector("[data-kept-notice]");
  if (kept) kept.hidden = !("kept" in form.dataset);
  await show();
  flush();
}

// The first page a worker sees was loaded without it: it is asked to keep that one too.
async function install() {
  const had = navigator.serviceWorker.controller;
  await navigator.serviceWorker.register("/office/prices/worker.js", { scope: "/office/prices" });
  const { active } = await navigator.serviceWorker.ready;
  if (!had && form) active.postMessage("keep");
}

function say(name, values = {}) {
  return words.content.querySelector(`[data-word="${name}"]`).textContent.replaceAll(/\{(\w+)\}/g, (_, key) => values[key]);
}

function typed(set) {
  return [...set.querySelectorAll("input, select")].map(({ name, value }) => [name, value]);
}

// Whether two lists of fields mean the same: dots in a price, and K, T, B written in its place, are ways of writing.
function same(one, other) {
  const plain = (fields) => {
    const found = Object.fromEntries(fields);
    for (const [name, value] of fields) {
      if (!name.startsWith("p:")) continue;
      const answer = { k: "no_stock", t: "closed", b: "not_visited" }[value.trim().toLowerCase()];
      found[name] = answer ? "" : value.replaceAll(".", "").trim();
      if (answer) found[name.replace("p:", "a:")] = answer;
    }
    return JSON.stringify(Object.entries(found).sort());
  };
  return plain(one) === plain(other);
}

// ---- what is kept: {sheet, item, title, fields, base, state}; state: queued, sent, refused (message), conflict (theirs), closed (message) ----

function opened() {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open("sheet", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("cells", { keyPath: ["sheet", "item"] });
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}

// Resolves with the request's result once all of it is on the disk.
async function store(act, mode = "readwrite") {
  const database = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction("cells", mode, { durability: "strict" });
      const request = act(transaction.objectStore("cells"));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

function all() {
  return store((cells) => cells.getAll(), "readonly");
}

function put(cell) {
  return store((cells) => cells.put(cell));
}

function drop(cell) {
  return store((cells) => cells.delete([cell.sheet, cell.item]));
}

async function keep(set) {
  const cell = { sheet: form.dataset.cells, item: set.id, title: set.querySelector("legend b").textContent, fields: typed(set), base: JSON.parse(set.dataset.base), state: "queued", at: Date.now() };
  try {
    await put(cell);
  } catch {
    return tell(set, say("not-kept")); // a full phone: the button still saves
  }
  tell(set, say("kept"));
  await show();
  return flush();
}

// What was typed and is not on this page yet: on a kept page everything since, on a fresh one only what the market has not.
async function refill() {
  const fresh = !("kept" in form.dataset);
  for (const cell of await all()) {
    if (cell.sheet !== form.dataset.cells) continue;
    const set = document.getElementById(cell.item);
    const known = set && same(typed(set), cell.fields);
    if (!set || (fresh && (cell.state === "sent" || cell.submitted || known))) {
      if (set) await drop(cell);
      continue;
    }
    for (const [name, value] of cell.fields) if (form.elements[name]) form.elements[name].value = value;
    if (cell.state === "sent") set.dataset.base = JSON.stringify(cell.fields);
    describe(set, cell);
  }
}

function describe(set, cell) {
  const said = { queued: say("kept"), sent: say("saved"), refused: cell.message, closed: cell.message, conflict: say("conflict", { theirs: cell.theirs }) }[cell.state];
  tell(set, said);
  set.querySelector("[data-mine]")?.remove();
  if (cell.state === "refused") set.querySelector("details").open = true;
  if (cell.state !== "conflict") return;
  const choice = document.querySelector("template[data-conflict]").content.firstElementChild.cloneNode(true);
  choice.querySelector("[data-keep]").addEventListener("click", () => settle(set, { ...cell, state: "queued", base: cell.now }));
  choice.querySelector("[data-take]").addEventListener("click", async () => {
    for (const [name, value] of cell.now) form.elements[name].value = value;
    await drop(cell);
    set.querySelector("[data-mine]").remove();
    tell(set, say("saved"));
    show();
  });
  set.querySelector("[data-said]").after(choice);
}

async function settle(set, cell) {
  await put(cell);
  describe(set, cell);
  flush();
}

function tell(set, sentence) {
  const said = set.querySelector("[data-said]");
  said.hidden = false;
  said.textContent = sentence;
}

// ---- sending: one tab, one after the other: the first of a morning makes the day's sheet ----

async function flush() {
  clearTimeout(timer);
  const done = await navigator.locks.request("sheet-send", send);
  await show();
  if (done) wait = 2_000;
  else {
    timer = setTimeout(flush, wait);
    wait = Math.min(wait * 2, LONGEST);
  }
}

// False after a cut. A cell that waited, or was typed on a kept page, is compared with what the market has before it overwrites anything.
async function send() {
  const now = new Map();
  for (const cell of (await all()).sort((a, b) => a.at - b.at)) {
    if (cell.state !== "queued") continue;
    try {
      const stale = cell.waited || (form && "kept" in form.dataset);
      if (stale && !now.has(cell.sheet)) now.set(cell.sheet, await theirs(cell.sheet));
      await decide(cell, stale ? now.get(cell.sheet) : null);
    } catch {
      await put({ ...cell, waited: true });
      return false;
    }
  }
  return true;
}

async function decide(cell, sheet) {
  const now = sheet?.get(cell.item);
  if (now && !same(now, cell.base) && !same(now, cell.fields)) return after({ ...cell, state: "conflict", now, theirs: shown(now) });
  const body = new FormData();
  for (const [name, value] of cell.fields) body.append(name, value);
  const answer = await fetch(cell.sheet, { method: "POST", body, redirect: "manual", signal: AbortSignal.timeout(20_000) });
  if (answer.status === 204) return after({ ...cell, state: "sent" });
  if (answer.type === "opaqueredirect" || answer.status === 401) return signIn();
  if (answer.status !== 422) throw new TypeError(String(answer.status));
  const { errors } = await answer.json();
  return after({ ...cell, state: "" in errors ? "closed" : "refused", message: [...new Set(Object.values(errors))].join(" ") });
}

function signIn() {
  document.querySelector("[data-signin]").hidden = false;
  throw new TypeError("not signed in");
}

// The answer is kept unless the person typed on meanwhile: then the newer one waits for its own answer.
async function after(cell) {
  const kept = await store((cells) => cells.get([cell.sheet, cell.item]), "readonly");
  if (kept?.at !== cell.at) return;
  await put({ ...cell, waited: false });
  const set = cell.sheet === form?.dataset.cells && document.getElementById(cell.item);
  if (!set) return;
  if (cell.state === "sent") set.dataset.base = JSON.stringify(cell.fields);
  describe(set, cell);
}

// Each commodity's fields as the market has them now: from the sheet's own page. Empty where nothing may be entered any more.
async function theirs(address) {
  const [, , , market, day] = address.split("/");
  const answer = await fetch(`/office/prices?market=${market}&day=${day}`, { cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(20_000) });
  if (answer.type === "opaqueredirect" || answer.status === 401) signIn();
  if (!answer.ok) throw new TypeError(String(answer.status));
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return new Map([...page.querySelectorAll(`form[data-cells="${address}"] fieldset[id]`)].map((set) => [set.id, typed(set)]));
}

function shown(fields) {
  return fields.filter(([name, value]) => name.startsWith("p:") && value).map(([, value]) => value).join(" / ") || "–";
}

// ---- the line on top, and what found no place any more ----

async function show() {
  const cells = await all();
  const n = cells.filter(({ state }) => state === "queued").length;
  const line = document.querySelector("[data-sheet-queue]");
  line.hidden = n === 0;
  line.querySelector("[data-state]").textContent = say("unsent", { n });
  const lost = cells.filter((cell) => cell.state === "closed" || (cell.sheet !== form?.dataset.cells && ["refused", "conflict"].includes(cell.state)));
  left.hidden = lost.length === 0;
  left.querySelector("ul").replaceChildren(...lost.map(row));
}

function row(cell) {
  const made = document.querySelector("template[data-lost]").content.firstElementChild.cloneNode(true);
  made.querySelector("b").textContent = cell.title;
  made.querySelector("[data-values]").textContent = `${shown(cell.fields)} · ${cell.sheet.split("/")[4]}`;
  made.querySelector("[data-reason]").textContent = cell.message ?? say("conflict", { theirs: cell.theirs });
  made.querySelector("button").addEventListener("click", async () => {
    await drop(cell);
    show();
  });
  return made;
}

// The whole form goes only when nothing waits any more: otherwise a cut would take the page, and what is on it, away.
async function submitted(event) {
  if (form.dataset.clear) return;
  event.preventDefault();
  const button = event.submitter;
  if (!(await cleared().catch(() => true))) return document.querySelector("[data-sheet-queue]").scrollIntoView();
  form.dataset.clear = "yes";
  delete form.dataset.sent; // page.js holds back a second press; this is the first one
  form.requestSubmit(button);
}

// Whether the market has all of this sheet or answered it. Where the device cannot keep anything the form goes as it would without this.
async function cleared() {
  for (const [set, later] of typing) {
    clearTimeout(later);
    if (JSON.stringify(typed(set)) !== set.dataset.base) await keep(set);
  }
  typing.clear();
  await flush();
  const cells = (await all()).filter((cell) => cell.sheet === form.dataset.cells);
  if (!navigator.onLine || cells.some(({ state }) => state === "queued" || state === "conflict")) return false;
  for (const cell of cells) await put({ ...cell, submitted: true });
  return true;
}
