// Keeps the offline page and its style sheet. Never a page with data, never anything of /v1.

const SHELF = "sera-shell-1";
const SHELL = ["/offline", "/static/sera.css"];
const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));

worker.addEventListener("install", (event) => event.waitUntil(fill()));
worker.addEventListener("activate", (event) => event.waitUntil(tidy()));
worker.addEventListener("fetch", (event) => {
  const { mode, url, method } = event.request;
  const shell = method === "GET" && SHELL.includes(new URL(url).pathname);
  if (mode === "navigate" || shell) event.respondWith(answer(event.request, shell));
});

async function fill() {
  await (await caches.open(SHELF)).addAll(SHELL);
  await worker.skipWaiting();
}

async function tidy() {
  const old = (await caches.keys()).filter((name) => name !== SHELF);
  await Promise.all(old.map((name) => caches.delete(name)));
  await worker.clients.claim();
}

// The network first, always; what is kept only where there is none.
async function answer(request, shell) {
  try {
    return await fetch(request);
  } catch {
    return await caches.match(shell ? request : "/offline") ?? Response.error();
  }
}
