// Keeps the checking page, its files and the public keys on the device. Fresh when there is a signal, kept when there is none.
// Served from /verify/worker.js with the scope /verify; receipts themselves are never kept.

const SHELF = "verify-1";
const KEYS = "/.well-known/receipt-key";

self.addEventListener("install", (event) => {
  event.waitUntil(stock().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name.startsWith("verify-") && name !== SHELF) await caches.delete(name);
      await self.clients.claim();
    })(),
  );
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  const ours = url.pathname === "/verify" || url.pathname === "/verify/app.webmanifest" || url.pathname === KEYS || url.pathname.startsWith("/static/");
  if (event.request.method !== "GET" || url.origin !== location.origin || !ours) return;
  event.respondWith(freshOrKept(event.request, url));
});

async function freshOrKept(request, url) {
  const shelf = await caches.open(SHELF);
  try {
    const answer = await fetch(request);
    if (answer.ok && !url.search.includes("lang=")) await shelf.put(url.pathname + (url.pathname.startsWith("/static/") ? url.search : ""), answer.clone());
    return answer;
  } catch (error) {
    const kept = await shelf.match(request, { ignoreSearch: !url.pathname.startsWith("/static/") });
    if (kept) return kept;
    throw error;
  }
}

async function stock() {
  const shelf = await caches.open(SHELF);
  const page = await fetch("/verify", { cache: "no-cache" });
  const html = await page.clone().text();
  const files = [...html.matchAll(/(?:href|src)="(\/static\/[^"#]+)/g)].map((found) => found[1].replaceAll("&amp;", "&"));
  await shelf.put("/verify", page);
  await shelf.addAll([KEYS, "/verify/app.webmanifest", ...new Set(files)]);
}
