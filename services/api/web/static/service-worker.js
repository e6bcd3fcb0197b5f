// Keeps the offline page and its style sheet. Never a page with data, never anything of /v1.

const SHELF = "sera-shell-1";
const SHELL = ["/offline", "/static/sera.css"];

self.addEventListener("install", (event) => event.waitUntil(fill()));
self.addEventListener("activate", (event) => event.waitUntil(tidy()));
self.addEventListener("fetch", (event) => {
  const { mode, url, method } = event.request;
  const shell = method === "GET" && SHELL.includes(new URL(url).pathname);
  if (mode === "navigate" || shell) event.respondWith(answer(event.request, shell));
});

async function fill() {
  await (await caches.open(SHELF)).addAll(SHELL);
  await self.skipWaiting();
}

async function tidy() {
  const old = (await caches.keys()).filter((name) => name !== SHELF);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

// The network first, always; what is kept only where there is none.
async function answer(request, shell) {
  try {
    return await fetch(request);
  } catch {
    return caches.match(shell ? request : "/offline");
  }
}
