// Keeps the page of the round and its files on the device, so that it opens without a signal. Served from /collect/worker.js with the scope
// /collect, after a line that names the version. Money is never kept here: the day's figures stand in IndexedDB, answers nowhere.

const PAGE = "/collect/offline";
const SHELF = `collect-${VERSION}`;
const PATIENCE = 6_000; // ms for a page over a bad connection, before the kept one is shown

self.addEventListener("install", (event) => {
  event.waitUntil(stock().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name.startsWith("collect-") && name !== SHELF) await caches.delete(name);
      await self.clients.claim();
    })(),
  );
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  if (event.request.mode === "navigate") {
    if (url.pathname === "/collect" || url.pathname === PAGE) event.respondWith(page(event, url));
  } else if (url.pathname.startsWith("/static/") || url.pathname.startsWith("/collect/app")) {
    event.respondWith(file(event.request));
  }
});

// The market's answer while there is a signal; the round on this device when there is none.
async function page(event, url) {
  try {
    const answer = await fetch(event.request, { signal: AbortSignal.timeout(PATIENCE) });
    if (answer.status >= 500) throw new TypeError(String(answer.status)); // a proxy without its server is no signal either
    if (answer.ok && answer.type === "basic" && !answer.redirected && url.pathname === PAGE) event.waitUntil(keep(answer.clone()).catch(() => {}));
    return answer;
  } catch {
    const kept = await caches.match(PAGE);
    if (!kept) return Response.error();
    return url.pathname === PAGE ? kept : Response.redirect(PAGE);
  }
}

// Files bear their version in the address: what is kept is right for ever.
async function file(request) {
  const kept = await caches.match(request);
  return kept ?? fetch(request);
}

async function stock() {
  const answer = await fetch(PAGE, { cache: "no-cache" });
  if (!answer.ok || answer.redirected) throw new Error("not signed in: nothing to keep yet");
  await keep(answer);
}

// The page is kept after all it needs; a page that says something once (a flash) is not kept.
async function keep(answer) {
  const html = await answer.clone().text();
  if (html.includes('class="flash"')) return;
  const shelf = await caches.open(SHELF);
  const files = new Set([...html.matchAll(/(?:href|src)="(\/(?:static|collect\/app)[^"#]+)/g)].map((found) => found[1].replaceAll("&amp;", "&")));
  for (const address of files) if (!(await shelf.match(address))) await shelf.add(address);
  await shelf.put(PAGE, answer);
}
