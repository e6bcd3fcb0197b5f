// The wallboard: polls its figures, warns when they are old, and turns the pages of the hospitals' table.

import { byId, say } from "./session.js";
import { localTimes } from "./times.js";
import { t } from "./words.js";

const POLL_INTERVAL_MS = 5_000, SILENT_MS = 15_000, TURN_MS = 10_000, MIN_ROWS = 4;
const wide = matchMedia("(min-width: 60rem)"), reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
/** @type {string | null} */
let etag = null;
let answeredAt = Date.now(), isFetching = false, page = 0, paused = reducedMotion.matches;

const part = (name, within = document) => within.querySelector(`[data-part=${name}]`);
const rows = () => [...part("hospitals").rows];
const asOf = () => part("standing").querySelector("time");

function replaceFigures(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html"), before = part("standing").dataset.standing;
  for (const name of ["standing", "tiles", "hospitals"]) part(name).replaceWith(document.adoptNode(part(name, fresh)));
  localTimes(part("standing"));
  turn(0);
  const { standing } = part("standing").dataset;
  if (standing !== before) say(t(`wall.state.${standing}`));
}

// Null if the server does not answer in time; `showAge` then warns.
const fetchFigures = () => fetch(byId("wall").dataset.figures, { headers: etag ? { "If-None-Match": etag } : {}, redirect: "manual", signal: AbortSignal.timeout(SILENT_MS) }).catch(() => null);

async function poll() {
  if (isFetching) return;
  isFetching = true;
  const answer = await fetchFigures(), html = answer?.ok ? await answer.text().catch(() => null) : null;
  isFetching = false;
  if (answer?.type === "opaqueredirect") location.reload(); // The session has ended; the reloaded page redirects to sign in.
  if (html !== null) {
    replaceFigures(html);
    etag = answer?.headers.get("ETag") ?? null;
  }
  if (html !== null || answer?.status === 304) answeredAt = Date.now();
  showAge();
}

// From three metres old figures poll like new ones, so a warning above them says that they are old.
function showAge() {
  const silent = Date.now() - answeredAt > SILENT_MS, warning = silent ? t("wall.silent", { time: asOf().textContent }) : "";
  if (byId("silence").textContent !== warning) byId("silence").textContent = warning;
  byId("wall").classList.toggle("old", silent);
}

function perPage() {
  const all = rows();
  if (!wide.matches) return all.length;
  const room = innerHeight - (part("hospitals").getBoundingClientRect().top + byId("main").scrollTop + scrollY);
  const tall = Math.max(...all.map((row) => row.offsetHeight), 1);
  return Math.max(MIN_ROWS, Math.floor(room / tall));
}

function turn(step) {
  const all = rows(), size = perPage(), pages = Math.ceil(all.length / size);
  page = (page + step + pages) % pages;
  all.forEach((row, index) => { row.hidden = Math.floor(index / size) !== page; });
  byId("shown").textContent = t("wall.hospitals.shown", { first: page * size + 1, last: Math.min((page + 1) * size, all.length), n: all.length });
  byId("pause").parentElement.hidden = pages === 1;
}

function setPaused(value) {
  paused = value;
  byId("pause").setAttribute("aria-pressed", String(value));
}

async function stayAwake() {
  if (document.visibilityState !== "visible") return;
  poll();
  await navigator.wakeLock?.request("screen").catch(() => null); // Refused when power is low; the wallboard works without it.
}

byId("back").addEventListener("click", () => { setPaused(true); turn(-1); });
byId("onward").addEventListener("click", () => { setPaused(true); turn(1); });
byId("pause").addEventListener("click", () => setPaused(!paused));
byId("fullscreen").hidden = !document.fullscreenEnabled;
byId("fullscreen").addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : byId("main").requestFullscreen()));
document.addEventListener("fullscreenchange", () => turn(0));
document.addEventListener("visibilitychange", stayAwake);
addEventListener("resize", () => turn(0));
addEventListener("online", poll);
setInterval(poll, POLL_INTERVAL_MS);
setInterval(showAge, 1_000);
setInterval(() => { if (!paused) turn(1); }, TURN_MS);
setPaused(paused);
turn(0);
stayAwake();
