// The page of a case: follows the job until it is final, then shows the server's result: image in the viewer, own level, outcome, report text.

import { outlineOf } from "./geometry.js";
import { ExplanationPanel } from "./heatmap.js";
import { Description } from "./lexicon.js";
import { OutcomeSender, fillOutcome } from "./outcome.js";
import { ask, byId, say } from "./session.js";
import { zone } from "./times.js";
import { framesOf, loadImage } from "./viewer-image.js";
import { Viewer } from "./viewer.js";
import { t } from "./words.js";

const FINAL = new Set(["done", "failed", "cancelled"]), WAIT_S = 20, PAUSE_MS = 2000;

start();
// A closed part of the page would be missing on paper.
addEventListener("beforeprint", () => { for (const part of foldedParts()) part.open = true; });
addEventListener("afterprint", () => { for (const part of document.querySelectorAll("details[data-unfolded]")) { part.open = false; delete part.dataset.unfolded; } });

function start() {
  const { case: caseId, job, state, withheld } = byId("case").dataset;
  if (!FINAL.has(state)) return follow(job).then(() => refresh());
  if (state === "done") showImage(caseId, withheld !== undefined);
  if (withheld !== undefined) askOwnLevel(caseId);
  if (byId("pdf")) byId("pdf").search += `&zone=${encodeURIComponent(zone)}`;
  byId("print")?.addEventListener("click", () => print());
  byId("rerun")?.addEventListener("click", () => rerun(job));
  for (const button of document.querySelectorAll("[data-copies]")) button.addEventListener("click", () => copy(byId(button.dataset.copies).textContent ?? ""));
  if (byId("outcome-open")) listenToOutcome(caseId);
}

function foldedParts() {
  const folded = [...document.querySelectorAll("details.prints:not([open])")];
  for (const part of folded) part.dataset.unfolded = "";
  return folded;
}

// The viewer takes the place of the plain image, which stays for paper.
async function showImage(caseId, isWithheld) {
  const place = byId("picture"), { image: path, outlines } = place.dataset;
  const styled = JSON.parse(outlines).map(({ region, style }) => ({ points: outlineOf(region), style }));
  try {
    const loaded = await loadImage(path);
    /** @type {Viewer} */
    let viewer;
    const panel = isWithheld ? null : new ExplanationPanel(caseId, () => viewer);
    viewer = new Viewer(place, { label: t("case.image.alt"), outlines: styled, onMap: panel ? () => panel.toggle() : undefined });
    if (panel) place.append(panel.element);
    place.classList.add("is-ready");
    viewer.show(loaded.image, { calibration: loaded.calibration, frames: framesOf(path, loaded) });
  } catch {
    place.hidden = true;
    byId("picture-said").textContent = t("case.image.missing");
  }
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say(t("case.room.copied"));
  } catch {
    say(t("case.room.not_copied"), true);
  }
}

function listenToOutcome(caseId) {
  const dialog = byId("outcome"), form = dialog.querySelector("form"), button = byId("outcome-open"), sender = new OutcomeSender();
  button.addEventListener("click", () => {
    form.reset();
    dialog.querySelector(".of").textContent = button.dataset.name;
    dialog.querySelector("[role=alert]").textContent = "";
    fillOutcome(form, button.dataset.outcome ? JSON.parse(button.dataset.outcome) : null);
    dialog.showModal();
  });
  dialog.querySelector("[data-closes]").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const save = form.querySelector("[type=submit]");
    save.disabled = true;
    try {
      await sender.send(caseId, form);
      dialog.close();
      await refresh(t("case.room.outcome_done"));
      byId("outcome-open").focus();
    } catch (problem) {
      dialog.querySelector("[role=alert]").textContent = problem.message;
    } finally {
      save.disabled = false;
    }
  });
}

// Resolves when the job is final: by server-sent events, or by polling where these do not arrive.
function follow(job) {
  return new Promise((/** @type {(value: void) => void} */ resolve) => {
    const events = new EventSource(`/v1/jobs/${job}/events`);
    events.addEventListener("job", ({ data }) => {
      if (showProgress(JSON.parse(data))) { events.close(); resolve(); }
    });
    events.addEventListener("error", () => { events.close(); poll(job).then(resolve); });
  });
}

async function poll(job) {
  for (;;) {
    try {
      if (showProgress(await ask("GET", `/v1/jobs/${job}?wait=${WAIT_S}`))) return;
    } catch (problem) {
      if ([401, 404, 410].includes(problem.status)) return;
      byId("progress-said").textContent = problem.message;
      await new Promise((resolve) => setTimeout(resolve, 1000 * (problem.later ?? 0) || PAUSE_MS));
    }
  }
}

// Shows the progress of the job. Returns whether it is final.
function showProgress({ state, position, eta_s: eta }) {
  if (FINAL.has(state)) return true;
  const sentences = position ? [t("case.queued", { position })] : [t("case.running")];
  if (position && eta) sentences.push(eta < 90 ? t("case.eta_seconds", { n: Math.ceil(eta) }) : t("case.eta_minutes", { n: Math.round(eta / 60) }));
  if (byId("progress-said").textContent !== sentences.join(" ")) byId("progress-said").textContent = sentences.join(" ");
  return false;
}

// Replaces the case by the server's present page; reloads if the case is no longer there.
/** @param {string} [said]  what to say instead of the case's new state */
async function refresh(said) {
  const answer = await fetch(location.href).catch(() => null);
  const updated = answer && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("case");
  if (!updated) return location.reload();
  byId("case").replaceWith(document.adoptNode(updated));
  say(said ?? t(updated.dataset.state === "done" ? "case.ready" : "case.changed"));
  start();
}

// The reader's own level, or a description that gives it: one empties the other. Then SERA's answer is shown.
function askOwnLevel(caseId) {
  const form = byId("own-level"), choice = byId("own-level-choice"), description = new Description();
  choice.addEventListener("change", () => { if (choice.value) description.clear(); });
  description.section.addEventListener("change", () => { if (description.isBegun) choice.value = ""; });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("[type=submit]");
    const described = description.json;
    const own = choice.value ? { level: choice.value } : described && { descriptors: JSON.parse(described) };
    const [field, objection] = description.objection() ?? (own ? [] : [choice, t("case.own_level.missing")]);
    byId("own-level-problem").textContent = objection ?? "";
    if (field) return field.focus();
    button.disabled = true;
    try {
      await ask("POST", `/v1/cases/${caseId}/reader-level`, { json: own });
      await refresh();
    } catch (problem) {
      byId("own-level-problem").textContent = problem.message;
      button.disabled = false;
    }
  });
}

async function rerun(job) {
  byId("rerun").disabled = true;
  try {
    await ask("POST", `/v1/jobs/${job}/rerun`);
    await refresh();
  } catch (problem) {
    say(problem.message, true);
    byId("rerun").disabled = false;
  }
}
