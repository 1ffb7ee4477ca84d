// Checks a receipt on the device: the QR holds "1|key id|number|time|rupiah|place" and 64 bytes of Ed25519 signature.
// With a signal it also asks whether the receipt was cancelled since; without one it says that it could not ask.

const KEYS = "/.well-known/receipt-key";
const LONGEST = 4096;
const form = document.querySelector("[data-verify]");
const answers = [...document.querySelectorAll("[data-answer]")];

if (form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    check(form.elements.number.value);
  });
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("/verify/worker.js", { scope: "/verify" }).catch(() => {});
  camera();
  if (location.hash.length > 1) check(decodeURIComponent(location.hash.slice(1)));
}

async function check(text) {
  const asked = read(text.trim().slice(0, LONGEST));
  if (!asked) return show("unreadable");
  if (!asked.token) return byNumber(asked.number);
  let said;
  try {
    said = await prove(asked.token);
  } catch (reason) {
    return show(reason instanceof Refused ? reason.message : "unreadable", { number: asked.number });
  }
  if (asked.number && asked.number !== said.number) return show("forged", { number: asked.number });
  const online = await ask(said.number);
  show(online === "cancelled" ? "cancelled" : online === "unknown" ? "unknown" : "genuine", { ...said, offline: online === "" });
}

class Refused extends Error {}

// What was scanned or typed: an address with a proof, a bare proof, or a number. Null for anything else.
function read(text) {
  const number = text.toUpperCase().match(/(?:^|\/)([A-Z0-9]{2,8}-[0-9]{4}-[0-9]{1,12})(?=[?#/\s]|$)/)?.[1];
  const token = text.match(/[?&#]t=([A-Za-z0-9_-]+)/)?.[1] ?? text.match(/^[A-Za-z0-9_-]{100,}$/)?.[0];
  return token || number ? { token, number: number && padded(number) } : null;
}

function padded(number) {
  const [market, year, n] = number.split("-");
  return `${market}-${year}-${n.padStart(7, "0")}`;
}

async function prove(token) {
  const raw = bytes(token);
  if (raw.length <= 64) throw new Refused("unreadable");
  const said = raw.slice(0, -64);
  const [version, kid, number, stamp, amount, place, ...rest] = new TextDecoder("utf-8", { fatal: true }).decode(said).split("|");
  const time = stamp?.match(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/);
  if (version !== "1" || rest.length || !time || !/^\d+$/.test(amount) || place === undefined) throw new Refused("unreadable");
  const keys = await publicKeys();
  if (!keys) throw new Refused("nokeys");
  const jwk = keys.find((key) => key.kid === kid);
  if (!jwk) throw new Refused(navigator.onLine ? "forged" : "nokeys");
  if (!globalThis.crypto?.subtle) throw new Refused("nocrypto");
  let key;
  try {
    key = await crypto.subtle.importKey("raw", bytes(jwk.x), { name: "Ed25519" }, false, ["verify"]);
  } catch {
    throw new Refused("nocrypto"); // An older browser: it must not say genuine, and it must not say forged.
  }
  if (!(await crypto.subtle.verify({ name: "Ed25519" }, key, raw.slice(-64), said))) throw new Refused("forged");
  const [, y, mo, d, h, mi, s] = time.map(Number);
  return { number, place, amount: Number(amount), at: new Date(Date.UTC(y, mo - 1, d, h, mi, s)) };
}

function bytes(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
}

async function publicKeys() {
  try {
    const answer = await fetch(KEYS);
    return answer.ok ? (await answer.json()).keys : null;
  } catch {
    return null;
  }
}

// "genuine", "cancelled", "unknown", or "" where nobody could be asked.
async function ask(number) {
  try {
    const answer = await fetch(`/api/v1/receipts/${encodeURIComponent(number)}`, { cache: "no-store", signal: AbortSignal.timeout(6000) });
    if (answer.status === 404) return "unknown";
    return answer.ok ? (await answer.json()).status : "";
  } catch {
    return "";
  }
}

async function byNumber(number) {
  const online = await ask(number);
  show({ genuine: "number-genuine", cancelled: "cancelled", unknown: "unknown", "": "number-offline" }[online], { number });
}

function show(name, said = {}) {
  for (const box of answers) box.hidden = box.dataset.answer !== name;
  const box = answers.find((each) => each.dataset.answer === name);
  const language = document.documentElement.lang;
  const words = {
    number: said.number ?? "",
    place: said.place ?? "",
    amount: said.amount === undefined ? "" : `Rp ${said.amount.toLocaleString("id-ID")}`,
    day: said.at?.toLocaleString(language, { timeZone: form.dataset.timezone, dateStyle: "full", timeStyle: "short" }) ?? "",
  };
  for (const part of box.querySelectorAll("[data-say]")) part.textContent = words[part.dataset.say];
  for (const part of box.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== (said.offline ? "offline" : "online");
  box.focus();
}

function camera() {
  const button = document.querySelector("[data-scan]");
  const video = document.querySelector("[data-video]");
  if (!("BarcodeDetector" in globalThis) || !navigator.mediaDevices?.getUserMedia) {
    document.querySelector("[data-noscan]").hidden = false;
    return;
  }
  button.hidden = false;
  button.addEventListener("click", async () => {
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch {
      document.querySelector("[data-noscan]").hidden = false;
      return;
    }
    video.hidden = false;
    video.srcObject = stream;
    await video.play();
    const look = async () => {
      const [found] = await detector.detect(video).catch(() => []);
      if (!found) return requestAnimationFrame(look);
      for (const track of stream.getTracks()) track.stop();
      video.hidden = true;
      form.elements.number.value = found.rawValue;
      check(found.rawValue);
    };
    look();
  });
}
