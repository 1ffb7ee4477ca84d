// Checks a slip's proof on the phone: `#p=<base64url(body)>.<signature>`, ECDSA P-256 over the body's exact bytes,
// with the device's public key from /.well-known/device-keys. The proof behind # is never sent to anybody.

const KEYS = "/.well-known/device-keys";
const LONGEST = 4096;
const box = document.querySelector("[data-slip]");
const form = document.querySelector("[data-slip-form]");

if (box && location.hash.startsWith("#p=")) check(location.hash.slice(3, LONGEST));

async function check(proof) {
  const [packed, signature, ...rest] = proof.split(".");
  let body;
  let said;
  let signed;
  try {
    body = bytes(packed);
    signed = bytes(signature);
    said = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return show("bad");
  }
  if (rest.length || said?.device !== box.dataset.slip || name(said) !== box.dataset.name) return show("bad");
  const key = await keyOf(said.device);
  if (!key) return show("unsure");
  const good = await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, signed, body).catch(() => false);
  show(good ? "good" : "bad", good ? said : undefined);
}

// The device's key, or null where it cannot be had or this browser cannot check.
async function keyOf(device) {
  if (!globalThis.crypto?.subtle) return null;
  try {
    const answer = await fetch(KEYS);
    const jwk = (await answer.json()).keys.find((key) => key.kid === device);
    const { kty, crv, x, y } = jwk;
    return await crypto.subtle.importKey("jwk", { kty, crv, x, y }, { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
  } catch {
    return null;
  }
}

function name(said) {
  return `${said.device}-${String(said.number).padStart(6, "0")}`;
}

function bytes(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
}

function show(which, said) {
  for (const each of box.querySelectorAll("[data-proof]")) each.hidden = each.dataset.proof !== which;
  // What the market says about the number is not about a slip that is not genuine.
  box.querySelector("[data-about]").hidden = which === "bad";
  if (form) form.hidden = which === "good";
  const shown = box.querySelector(`[data-proof="${which}"]`);
  if (said) {
    const moment = { dateStyle: "medium", timeStyle: "short", timeZone: box.dataset.timezone };
    const words = {
      place: said.place || "–",
      amount: `Rp ${Number(said.amount).toLocaleString("id-ID")}`,
      issued: new Date(said.issued_at).toLocaleString(document.documentElement.lang, moment),
    };
    for (const target of shown.querySelectorAll("[data-say]")) target.textContent = words[target.dataset.say];
  }
}
