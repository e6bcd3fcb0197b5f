// The page of a reader study: a case, the reader's own reading, then SERA's answer, then the next case. No step back.
// Each case and answer is requested at the moment it is shown, as its reading time begins with the request.

import { letter } from "./keys.js";
import { Problem, ask, byId, say } from "./session.js";
import { loadImage } from "./viewer-image.js";
import { Viewer } from "./viewer.js";
import { VisibilityTimer } from "./visibility-timer.js";
import { language, t } from "./words.js";

const study = byId("desk").dataset.study, at = `/v1/reader-studies/${study}`;
const form = byId("form"), slider = byId("probability"), paused = byId("paused");
const KEY_ZOOM = 1.25;
// A key press meant for the previous form must not skip an answer that has just appeared.
const SETTLE_MS = 600;
const STORAGE_KEY = "sera-reading-keys";
const timer = new VisibilityTimer();
const viewer = new Viewer(byId("stage"), { label: t("studies.read.image") });
/** @type {Record<string, any>} */
let now = {};
let isGiven = false, ready = false;

byId("go")?.addEventListener("click", () => runStep(next));
byId("pause").addEventListener("click", pause);
paused.addEventListener("close", resume);
for (const kind of ["input", "pointerup"]) slider.addEventListener(kind, () => setProbability(Number(slider.value)));
form.addEventListener("submit", (event) => { event.preventDefault(); if (ready) submit(); });
document.addEventListener("keydown", onKey);
// A page from the browser's cache would show a case whose time is not running.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
byId("keys").checked = localStorage.getItem(STORAGE_KEY) !== "off";
byId("keys").addEventListener("change", () => localStorage.setItem(STORAGE_KEY, byId("keys").checked ? "on" : "off"));

async function runStep(step) {
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
  const nextCase = await ask("GET", `${at}/next`);
  if (!nextCase.phase) return finish();
  now = nextCase;
  byId("sera").replaceChildren();
  await showCase(nextCase);
  if (nextCase.phase === "aided") return showAnswer();
  clear();
  begin("blind");
}

async function showCase(nextCase) {
  byId("size").textContent = t("common.mm", { value: nextCase.size_mm });
  const { image, calibration } = await loadImage(nextCase.image).catch(() => { throw new Problem({ detail: t("studies.read.no_image"), code: "no-image" }); });
  viewer.show(image, { calibration });
}

// Shows SERA's answer beside the reader's own reading, which can be changed.
async function showAnswer() {
  const answer = await fetchAnswer();
  byId("sera").replaceChildren(answer);
  setProbability(Number(answer.dataset.probability));
  form.elements.malignant.value = answer.dataset.malignant;
  form.elements.fna.value = answer.dataset.fna;
  begin("aided");
}

async function fetchAnswer() {
  const response = await fetch(`/studies/${study}/read/${now.case_id}/sera`, { headers: { "Accept-Language": language } }).catch(() => { throw new Problem({ detail: t("common.away"), code: "away" }); });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (!response.ok || response.redirected) throw new Problem({ detail: page.querySelector("section.problem p")?.textContent ?? t("common.away"), code: "answer" }, response.status);
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
  timer.start();
  ready = true;
  setTimeout(() => { byId("store").disabled = !ready; }, SETTLE_MS);
}

function submit() {
  if (byId("store").disabled) return;
  const { malignant, fna } = form.elements, missing = !isGiven ? "probability" : malignant.value === "" ? "decision" : "";
  byId("missing").textContent = missing && t(`studies.read.missing.${missing}`);
  if (missing) return (isGiven ? malignant[0] : slider).focus();
  const json = { case_id: now.case_id, phase: now.phase, probability: Number(slider.value), malignant: malignant.value === "true", fna: fna.value ? fna.value === "true" : null, ...timer.elapsed() };
  store(json);
}

async function store(json) {
  ready = false;
  byId("store").disabled = true;
  try {
    await ask("POST", `${at}/readings`, { json });
  } catch (problem) {
    // The reading is stored already: the first answer was lost, or another tab stored it.
    if (problem.code !== "read-already") {
      byId("missing").textContent = problem.message;
      ready = true;
      byId("store").disabled = false;
      return;
    }
  }
  runStep(json.phase === "blind" ? showAnswer : next);
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
  byId("keys").checked = localStorage.getItem(STORAGE_KEY) !== "off";
  isGiven = false;
  slider.classList.add("unset");
  slider.setAttribute("aria-valuetext", t("studies.read.not_given"));
  byId("per-cent").textContent = "–";
}

function setProbability(value) {
  isGiven = true;
  slider.value = value;
  slider.classList.remove("unset");
  slider.removeAttribute("aria-valuetext");
  byId("per-cent").textContent = t("common.percent", { value: slider.value });
}

function pause() {
  timer.pause(true);
  byId("desk").classList.add("covered");
  paused.showModal();
}

function resume() {
  byId("desk").classList.remove("covered");
  timer.pause(false);
  byId("phase").focus({ preventScroll: true });
}

const setChoice = (name, value) => () => { form.elements[name].value = value; };
const KEYS = { b: setChoice("malignant", "false"), m: setChoice("malignant", "true"), f: setChoice("fna", "true"), n: setChoice("fna", "false"), p: pause, "+": () => viewer.zoomBy(KEY_ZOOM), "=": () => viewer.zoomBy(KEY_ZOOM), "-": () => viewer.zoomBy(1 / KEY_ZOOM) };
const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -100, End: 100 };

function onKey(event) {
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
  const key = letter(event), focusedControl = event.target.closest("input, select, #stage, button, a");
  if (/^\d$/.test(key)) setProbability(10 * Number(key));
  else if (key in KEYS) KEYS[key]();
  else if (key in STEPS && !focusedControl) setProbability(Math.min(Math.max(Number(slider.value) + STEPS[key], 0), 100));
  else return;
  event.preventDefault();
}
