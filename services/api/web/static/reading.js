// The reading desk: a case, what the reader says of it, only then SERA's answer, then the next. There is no way back.
// Each case and each answer is asked for at the moment that it is shown, for then its time begins.

import { Problem, ask, byId, say } from "./session.js";
import { Watch } from "./watch.js";
import { language, t } from "./words.js";

const study = byId("desk").dataset.study, at = `/v1/reader-studies/${study}`;
const form = byId("form"), slider = byId("probability"), image = byId("image"), paused = byId("paused"), stage = byId("stage");
const ZOOMS = [1, 1.5, 2, 3, 4];
// An answer that has just appeared is not passed over by a key that was meant for the form before it.
const SETTLE_MS = 600;
const KEPT = "sera-reading-keys";
const watch = new Watch();
/** @type {Record<string, any>} */
let now = {};
let given = false, ready = false, zoom = 0;

byId("go")?.addEventListener("click", () => held(next));
byId("pause").addEventListener("click", pause);
byId("in").addEventListener("click", () => zoomTo(zoom + 1));
byId("out").addEventListener("click", () => zoomTo(zoom - 1));
paused.addEventListener("close", goOn);
for (const kind of ["input", "pointerup"]) slider.addEventListener(kind, () => give(Number(slider.value)));
form.addEventListener("submit", (event) => { event.preventDefault(); if (ready) submit(); });
document.addEventListener("keydown", pressed);
// A page that the browser kept would show a case whose time is not running.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
byId("keys").checked = localStorage.getItem(KEPT) !== "off";
byId("keys").addEventListener("change", () => localStorage.setItem(KEPT, byId("keys").checked ? "on" : "off"));

async function held(step) {
  ready = false;
  byId("store").disabled = true;
  say("");
  try {
    await step();
  } catch (problem) {
    say(problem.message, true);
    show("start");
    byId("go").focus();
  }
}

async function next() {
  const there = await ask("GET", `${at}/next`);
  if (!there.phase) return finish();
  now = there;
  byId("sera").replaceChildren();
  await put(there);
  if (there.phase === "aided") return aid();
  clear();
  begin("blind");
}

async function put(there) {
  byId("size").textContent = t("common.mm", { value: there.size_mm });
  image.src = there.image;
  zoomTo(0);
  await image.decode().catch(() => { throw new Problem({ detail: t("studies.read.no_image"), code: "no-image" }); });
}

// SERA's answer, and the reader's own beside it to change or to keep.
async function aid() {
  const said = await answer();
  byId("sera").replaceChildren(said);
  give(Number(said.dataset.probability));
  form.elements.malignant.value = said.dataset.malignant;
  form.elements.fna.value = said.dataset.fna;
  begin("aided");
}

async function answer() {
  const told = await fetch(`/studies/${study}/read/${now.case_id}/sera`, { headers: { "Accept-Language": language } }).catch(() => { throw new Problem({ detail: t("common.away"), code: "away" }); });
  const page = new DOMParser().parseFromString(await told.text(), "text/html");
  if (!told.ok || told.redirected) throw new Problem({ detail: page.querySelector("section.problem p")?.textContent ?? t("common.away"), code: "answer" }, told.status);
  return document.adoptNode(page.querySelector("section"));
}

function begin(phase) {
  now.phase = phase;
  byId("phase").textContent = t(`studies.read.now.${phase}`, { n: now.done + 1, all: now.cases });
  byId("progress").max = 2 * now.cases;
  byId("progress").value = 2 * now.done + (phase === "aided" ? 1 : 0);
  byId("store").textContent = t(`studies.read.store.${phase}`);
  byId("missing").textContent = "";
  byId("desk").classList.toggle("aided", phase === "aided");
  show("desk");
  byId("phase").focus({ preventScroll: true });
  byId(phase === "aided" ? "sera" : "phase").scrollIntoView({ block: "nearest" });
  watch.start();
  ready = true;
  setTimeout(() => { byId("store").disabled = !ready; }, SETTLE_MS);
}

function submit() {
  if (byId("store").disabled) return;
  const { malignant, fna } = form.elements, missing = !given ? "probability" : malignant.value === "" ? "decision" : "";
  byId("missing").textContent = missing && t(`studies.read.missing.${missing}`);
  if (missing) return (given ? malignant[0] : slider).focus();
  const json = { case_id: now.case_id, phase: now.phase, probability: Number(slider.value), malignant: malignant.value === "true", fna: fna.value ? fna.value === "true" : null, ...watch.told() };
  keep(json);
}

async function keep(json) {
  ready = false;
  byId("store").disabled = true;
  try {
    await ask("POST", `${at}/readings`, { json });
  } catch (problem) {
    // Its first answer was lost on the way, or another tab was quicker.
    if (problem.code !== "read-already") {
      byId("missing").textContent = problem.message;
      ready = true;
      byId("store").disabled = false;
      return;
    }
  }
  held(json.phase === "blind" ? aid : next);
}

function finish() {
  show("done");
  byId("done-title").focus();
}

function show(part) {
  for (const id of ["start", "desk", "done"]) byId(id).hidden = id !== part;
}

function clear() {
  form.reset();
  byId("keys").checked = localStorage.getItem(KEPT) !== "off";
  given = false;
  slider.classList.add("unset");
  slider.setAttribute("aria-valuetext", t("studies.read.not_given"));
  byId("per-cent").textContent = "–";
}

function give(value) {
  given = true;
  slider.value = value;
  slider.classList.remove("unset");
  slider.removeAttribute("aria-valuetext");
  byId("per-cent").textContent = t("common.percent", { value: slider.value });
}

// What is in the middle stays there.
function zoomTo(step) {
  const middle = { x: (stage.scrollLeft + stage.clientWidth / 2) / stage.scrollWidth, y: (stage.scrollTop + stage.clientHeight / 2) / stage.scrollHeight };
  zoom = Math.min(Math.max(step, 0), ZOOMS.length - 1);
  for (const side of ["width", "height"]) image.style[side] = `${100 * ZOOMS[zoom]}%`;
  stage.scrollTo(middle.x * stage.scrollWidth - stage.clientWidth / 2, middle.y * stage.scrollHeight - stage.clientHeight / 2);
  byId("zoom").textContent = t("common.percent", { value: 100 * ZOOMS[zoom] });
  byId("out").disabled = zoom === 0;
  byId("in").disabled = zoom === ZOOMS.length - 1;
}

function pause() {
  watch.pause(true);
  byId("desk").classList.add("covered");
  paused.showModal();
}

function goOn() {
  byId("desk").classList.remove("covered");
  watch.pause(false);
  byId("phase").focus({ preventScroll: true });
}

const decide = (name, value) => () => { form.elements[name].value = value; };
const KEYS = { b: decide("malignant", "false"), m: decide("malignant", "true"), f: decide("fna", "true"), n: decide("fna", "false"), p: pause, "+": () => zoomTo(zoom + 1), "=": () => zoomTo(zoom + 1), "-": () => zoomTo(zoom - 1) };
const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -100, End: 100 };

function pressed(event) {
  if (!ready || paused.open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter") {
    if (event.target.closest("button, a")) return;
    event.preventDefault();
    if (!event.repeat) submit();
  } else if (byId("keys").checked) {
    shortcut(event);
  }
}

function shortcut(event) {
  const key = letter(event), own = event.target.closest("input, #stage, button, a");
  if (/^\d$/.test(key)) give(10 * Number(key));
  else if (key in KEYS) KEYS[key]();
  else if (key in STEPS && !own) give(Math.min(Math.max(Number(slider.value) + STEPS[key], 0), 100));
  else return;
  event.preventDefault();
}

// The key by its place where a Korean keyboard gives a syllable instead of a letter.
function letter(event) {
  const placed = event.code.match(/^Key([A-Z])$/);
  return placed && !/^[a-z]$/i.test(event.key) ? placed[1].toLowerCase() : event.key.length === 1 ? event.key.toLowerCase() : event.key;
}
