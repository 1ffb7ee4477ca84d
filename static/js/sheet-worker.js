// Keeps each market's last sheet and its files, so that it opens without a signal. Served from /office/prices/worker.js with the scope
// /office/prices. A kept sheet is marked (form[data-kept]); what was typed stands in IndexedDB, not here.

const SHELF = "sheet-1";
const PAGE = "/office/prices";
const PATIENCE = 6_000;

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => {
  event.waitUntil(self.clients.claim());
});

self.addEventListener("message", (event) => {
  if (event.data === "keep") event.waitUntil(fetch(event.source.url, { cache: "no-store" }).then((answer) => keep(answer)));
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  if (event.request.mode === "navigate" && url.pathname === PAGE) event.respondWith(page(event, url));
  else if (url.pathname.startsWith("/static/")) event.respondWith(file(event.request));
});

async function page(event, url) {
  try {
    const answer = await fetch(event.request, { signal: AbortSignal.timeout(PATIENCE) });
    if (answer.status >= 500) throw new TypeError(String(answer.status)); // a proxy without its server is no signal either
    if (answer.ok && !answer.redirected && answer.type === "basic") event.waitUntil(keep(answer.clone()).catch(() => {}));
    return answer;
  } catch {
    const shelf = await caches.open(SHELF);
    const kept = await shelf.match(name(url.searchParams.get("market")));
    if (!kept) return Response.error();
    const html = (await kept.text()).replace("data-cells=", "data-kept data-cells=");
    return new Response(html, { status: 200, headers: kept.headers });
  }
}

function name(market) {
  return `${PAGE}?market=${(market ?? "").toUpperCase()}`;
}

async function file(request) {
  const shelf = await caches.open(SHELF);
  return (await shelf.match(request)) ?? fetch(request);
}

// The page last, after all it needs; only a sheet that can be filled in, and none that says something once. Files of older pages go.
async function keep(answer) {
  const html = await answer.clone().text();
  const [, market] = html.match(/data-cells="\/office\/prices\/([A-Z0-9]+)\//) ?? [];
  if (!market || html.includes('class="flash"')) return;
  const shelf = await caches.open(SHELF);
  const files = new Set([...html.matchAll(/(?:href|src)="(\/static\/[^"#]+)/g)].map((found) => found[1].replaceAll("&amp;", "&")));
  for (const address of files) if (!(await shelf.match(address))) await shelf.add(address);
  await shelf.put(name(market), answer.clone());
  await shelf.put(name(""), answer);
  for (const kept of await shelf.keys()) {
    const { pathname, search } = new URL(kept.url);
    if (pathname !== PAGE && !files.has(pathname + search)) await shelf.delete(kept);
  }
}
