// The wall: fetches its figures again and again, says when they are old, and turns the pages of the hospitals' table.

import { byId, say } from "./session.js";
import { localTimes } from "./times.js";
import { t } from "./words.js";

const EVERY_MS = 5_000, SILENT_MS = 15_000, TURN_MS = 10_000, FEWEST = 4;
const wide = matchMedia("(min-width: 60rem)"), calm = matchMedia("(prefers-reduced-motion: reduce)");
/** @type {string | null} */
let etag = null;
let answered = Date.now(), asking = false, at = 0, paused = calm.matches;

const part = (name, within = document) => within.querySelector(`[data-part=${name}]`);
const rows = () => [...part("hospitals").rows];
const asOf = () => part("standing").querySelector("time");

function take(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html"), before = part("standing").dataset.standing;
  for (const name of ["standing", "tiles", "hospitals"]) part(name).replaceWith(document.adoptNode(part(name, fresh)));
  localTimes(part("standing"));
  turn(0);
  const { standing } = part("standing").dataset;
  if (standing !== before) say(t(`wall.state.${standing}`));
}

// Null where nobody answers in time: `heed` tells.
const fetched = () => fetch(byId("wall").dataset.figures, { headers: etag ? { "If-None-Match": etag } : {}, redirect: "manual", signal: AbortSignal.timeout(SILENT_MS) }).catch(() => null);

async function look() {
  if (asking) return;
  asking = true;
  const answer = await fetched(), html = answer?.ok ? await answer.text().catch(() => null) : null;
  asking = false;
  if (answer?.type === "opaqueredirect") location.reload(); // The session has ended, and the page itself sends to sign in.
  if (html !== null) {
    take(html);
    etag = answer?.headers.get("ETag") ?? null;
  }
  if (html !== null || answer?.status === 304) answered = Date.now();
  heed();
}

// Old figures look like good ones from three metres, so that they are old stands over them.
function heed() {
  const silent = Date.now() - answered > SILENT_MS, told = silent ? t("wall.silent", { time: asOf().textContent }) : "";
  if (byId("silence").textContent !== told) byId("silence").textContent = told;
  byId("wall").classList.toggle("old", silent);
}

function perPage() {
  const all = rows();
  if (!wide.matches) return all.length;
  const room = innerHeight - (part("hospitals").getBoundingClientRect().top + byId("main").scrollTop + scrollY);
  const tall = Math.max(...all.map((row) => row.offsetHeight), 1);
  return Math.max(FEWEST, Math.floor(room / tall));
}

function turn(by) {
  const all = rows(), size = perPage(), pages = Math.ceil(all.length / size);
  at = (at + by + pages) % pages;
  all.forEach((row, place) => { row.hidden = Math.floor(place / size) !== at; });
  byId("shown").textContent = t("wall.hospitals.shown", { first: at * size + 1, last: Math.min((at + 1) * size, all.length), n: all.length });
  byId("pause").parentElement.hidden = pages === 1;
}

function hold(held) {
  paused = held;
  byId("pause").setAttribute("aria-pressed", String(held));
}

async function stayAwake() {
  if (document.visibilityState !== "visible") return;
  look();
  await navigator.wakeLock?.request("screen").catch(() => null); // A machine low on power refuses it; the wall goes on.
}

byId("back").addEventListener("click", () => { hold(true); turn(-1); });
byId("onward").addEventListener("click", () => { hold(true); turn(1); });
byId("pause").addEventListener("click", () => hold(!paused));
byId("fullscreen").hidden = !document.fullscreenEnabled;
byId("fullscreen").addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : byId("main").requestFullscreen()));
document.addEventListener("fullscreenchange", () => turn(0));
document.addEventListener("visibilitychange", stayAwake);
addEventListener("resize", () => turn(0));
addEventListener("online", look);
setInterval(look, EVERY_MS);
setInterval(heed, 1_000);
setInterval(() => { if (!paused) turn(1); }, TURN_MS);
hold(paused);
turn(0);
stayAwake();
