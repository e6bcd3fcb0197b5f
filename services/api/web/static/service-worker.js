// Caches the offline page and its style sheet. Never a page with data, never anything of /v1.

const CACHE_NAME = "sera-shell-1";
const CACHED_PATHS = ["/offline", "/static/sera.css"];
const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));

worker.addEventListener("install", (event) => event.waitUntil(fillCache()));
worker.addEventListener("activate", (event) => event.waitUntil(deleteOldCaches()));
worker.addEventListener("fetch", (event) => {
  const { mode, url, method } = event.request;
  const shell = method === "GET" && CACHED_PATHS.includes(new URL(url).pathname);
  if (mode === "navigate" || shell) event.respondWith(answer(event.request, shell));
});

async function fillCache() {
  await (await caches.open(CACHE_NAME)).addAll(CACHED_PATHS);
  await worker.skipWaiting();
}

async function deleteOldCaches() {
  const old = (await caches.keys()).filter((name) => name !== CACHE_NAME);
  await Promise.all(old.map((name) => caches.delete(name)));
  await worker.clients.claim();
}

// Always the network first; the cache only if there is no network.
async function answer(request, shell) {
  try {
    return await fetch(request);
  } catch {
    return await caches.match(shell ? request : "/offline") ?? Response.error();
  }
}
