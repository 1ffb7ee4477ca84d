// The device's own hand: a P-256 key that never leaves it, slips numbered and chained, each signed before it is kept.

import { read, stay, write } from "./offline-store.js";

const CURVE = { name: "ECDSA", namedCurve: "P-256" };

export class Refused extends Error {} // what the market's server or this device said no to, in a sentence for people
export class Full extends Error {}

export function base64url(bytes) {
  const letters = Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join("");
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

// A new key, told to the market with the code from the office. Resolves to the device; throws Refused with the server's sentence.
// The key is kept first: when the answer is lost on the way, the same code with the same key gets the same answer.
export async function enrol(code, name) {
  let pending = await read(["kept"], ({ get }) => get("kept", "pending"));
  if (pending?.code !== code) {
    pending = { code, pair: await crypto.subtle.generateKey(CURVE, false, ["sign", "verify"]) };
    await write(["kept"], ({ put }) => put("kept", pending, "pending"));
  }
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", pending.pair.publicKey);
  const answer = await fetch("/api/v1/devices", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ code, name, public_key: { kty, crv, x, y } }),
    redirect: "error",
  });
  const told = await answer.json().catch(() => ({}));
  if (answer.status !== 201) throw new Refused(sentence(told));
  const device = { device: told.device, market: told.market, name, next: told.next_number, prev: "", key: pending.pair.privateKey };
  await write(["kept"], async ({ put, remove }) => {
    await put("kept", device, "device");
    await remove("kept", "pending");
  });
  await stay();
  return device;
}

export function sentence(problem) {
  const fields = Object.values(problem.fields ?? {}).flat();
  return fields[0] ?? problem.detail ?? problem.title ?? "";
}

// One payment, numbered, signed and on the disk: the slip as it is kept. Throws Full where there is no room (nothing was taken then).
export function issue(round, place, amount, scope) {
  return navigator.locks.request("collect-slip", async () => {
    for (;;) {
      const device = await read(["kept"], ({ get }) => get("kept", "device"));
      const { slip, prev } = await signed(device, round, place, amount, scope);
      const kept = await write(["kept", "slips"], async ({ get, add, put }) => {
        const now = await get("kept", "device"); // A sync may have moved the number meanwhile.
        if (now.next !== slip.number) return false;
        await add("slips", slip);
        await put("kept", { ...now, next: slip.number + 1, prev }, "device");
        return true;
      }).catch(full);
      if (kept) return slip;
    }
  });
}

async function signed(device, round, place, amount, scope) {
  const issued = new Date().toISOString();
  const { market, session, business_day: day } = round;
  const said = { v: 1, device: device.device, number: device.next, market, session, day, permit: place.permit, place: place.code, amount, scope, issued_at: issued, prev: device.prev };
  const body = JSON.stringify(said);
  const bytes = new TextEncoder().encode(body);
  const signature = base64url(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, device.key, bytes));
  const prev = base64url(await crypto.subtle.digest("SHA-256", bytes));
  const slip = {
    number: device.next, device: device.device, session, day, permit: place.permit, place_id: place.place_id, place: place.code,
    amount, scope, issued, body, signature, state: "queued", counted: false, credit: Math.max(0, amount - (scope === "today" ? place.today : place.owed)),
  };
  return { slip, prev };
}

function full(error) {
  throw error?.name === "QuotaExceededError" ? new Full() : error;
}

// A visit without money, or a seasonal vendor's arrival: {kind: "visit", outcome, note} or {kind: "check_in"}.
export async function note(device, round, place, event) {
  const { session, business_day: day } = round;
  const kept = { ...event, device, session, day, permit: place.permit, place_id: place.place_id, place: place.code, at: new Date().toISOString(), sent: false, counted: false };
  await write(["events"], ({ add }) => add("events", kept)).catch(full);
}

export function slipName({ device, number }) {
  return `${device}-${String(number).padStart(6, "0")}`;
}

// What a vendor takes home: any phone reads it, any machine can check it.
export function proof(slip) {
  return `${location.origin}/slips/${slipName(slip)}#p=${base64url(new TextEncoder().encode(slip.body))}.${slip.signature}`;
}
