// The worklist: rows that follow their cases while any is unfinished, and the dialogs that act on one.

import { ask, byId, once, say } from "./session.js";
import { today } from "./times.js";
import { t } from "./words.js";

const EVERY_MS = 2000;
const DAY = { from: "00:00", to: "23:59:59.999" };
/** @typedef {{row: string, act: string, href: string | null} | null} Place */

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** @type {string | null} */
let seen = null;
// What the open dialog is about: its row's data, where the keyboard was, and the key of what was last sent.
/** @type {{row: Record<string, string>, focus: Place, key: string, sent: string}} */
let open;

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (button) ACTS[button.dataset.act](button);
});
for (const button of document.querySelectorAll("[data-closes]")) button.addEventListener("click", () => button.closest("dialog").close());
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); send(dialog); });
  dialog.addEventListener("close", () => focusOn(open.focus));
}
// A day is asked for from its beginning to its end here; what was left empty is not asked for.
byId("filters").addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of [...formData]) {
    if (!value) formData.delete(name);
    else if (name in DAY) formData.set(name, new Date(`${value}T${DAY[name]}`).toISOString());
  }
});
for (const field of document.querySelectorAll("[data-at*=T]")) field.value = new Date(field.dataset.at).toLocaleDateString("sv");
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : wait(0)));
wait();

const ACTS = {
  outcome: (button) => show("outcome", button, told),
  erase: (button) => show("erase", button, () => {}),
  rerun: (button) => again(button, `/v1/jobs/${row(button).dataset.job}/rerun`, () => t("worklist.rerun_done", { name: row(button).dataset.name })),
  "rerun-all": (button) => again(button, `/v1/jobs/rerun?reason=${encodeURIComponent(button.dataset.reason)}`, (done) => t(done.more ? "worklist.dead.queued_more" : "worklist.dead.queued", { n: done.queued })),
};
const SENDS = {
  outcome: (form) => ask("POST", `/v1/cases/${open.row.case}/outcome`, { json: said(form), headers: { "Idempotency-Key": key(form) } }),
  erase: (form) => ask("DELETE", `/v1/cases/${open.row.case}?ground=${form.elements.ground.value}`),
};

const row = (button) => button.closest("tr");

async function again(button, path, done) {
  button.disabled = true;
  try {
    const answer = await ask("POST", path);
    say(done(answer));
    await refresh();
  } catch (problem) {
    button.disabled = false;
    say(problem.message, true);
  }
}

function show(id, button, fill) {
  const dialog = byId(id), form = dialog.querySelector("form");
  open = { row: { ...row(button).dataset }, focus: focused(), key: "", sent: "" };
  form.reset();
  dialog.querySelector(".of").textContent = open.row.name;
  dialog.querySelector("[role=alert]").textContent = "";
  fill(form);
  dialog.showModal();
}

// What is recorded already stands in the form; only the patient's number is not known here.
function told(form) {
  const { determined_on, malignant, source, consent } = form.elements;
  determined_on.max = today();
  if (!open.row.outcome) return;
  const known = JSON.parse(open.row.outcome);
  malignant.value = String(known.malignant);
  source.value = known.source;
  determined_on.value = known.determined_on ?? "";
  consent.checked = known.consent;
}

function said(form) {
  const { malignant, source, determined_on, patient, consent } = form.elements;
  return { malignant: malignant.value === "true", source: source.value, determined_on: determined_on.value || null, patient: patient.value.trim() || null, consent: consent.checked };
}

// The same for a repeat of the same words, another for other words.
function key(form) {
  const words = JSON.stringify(said(form));
  if (open.sent !== words) [open.sent, open.key] = [words, once()];
  return open.key;
}

async function send(dialog) {
  const form = dialog.querySelector("form"), button = form.querySelector("[type=submit]");
  button.disabled = true;
  try {
    await SENDS[dialog.id](form);
    await refresh();
    dialog.close();
    say(t(`worklist.${dialog.id}.done`, { name: open.row.name }));
  } catch (problem) {
    dialog.querySelector("[role=alert]").textContent = problem.message;
  } finally {
    button.disabled = false;
  }
}

function wait(ms = EVERY_MS) {
  clearTimeout(timer);
  if (!document.hidden && "unfinished" in byId("list").dataset) timer = setTimeout(refresh, ms);
}

async function refresh() {
  clearTimeout(timer);
  try {
    const answer = await fetch(`/worklist/rows?${byId("list").dataset.here}`, { headers: seen ? { "If-None-Match": seen } : {}, redirect: "manual" });
    if (answer.type === "opaqueredirect") return location.reload();
    if (answer.ok) take(new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("list"), answer.headers.get("ETag"));
  } catch {
    say(t("common.away"), true);
  }
  wait();
}

function take(fresh, tag) {
  const before = states(), focus = focused();
  byId("list").replaceWith(fresh);
  seen = tag;
  focusOn(focus);
  const changed = [...states()].filter(([id, state]) => before.has(id) && before.get(id) !== state);
  if (changed.length) say(changed.map(([id, state]) => t("worklist.changed", { name: byId(id).dataset.name, state: t(`common.state.${state}`) })).join(" "));
}

const states = () => new Map([...document.querySelectorAll("tr[data-job]")].map((each) => [each.id, each.dataset.state]));

// Where the keyboard stands in the list, so that it stays there when the list is made anew.
/** @returns {Place} */
function focused() {
  const at = /** @type {PageElement | null} */ (document.activeElement);
  if (!at?.closest("#list")) return null;
  return { row: at.closest("tr")?.id, act: at.dataset.act, href: at.getAttribute("href") };
}

function focusOn(place) {
  if (!place || document.activeElement?.closest("dialog[open]")) return;
  const part = byId(place.row) ?? byId("list");
  const same = [...part.querySelectorAll("a, button")].find((each) => each.dataset.act === place.act && each.getAttribute("href") === place.href);
  (same ?? byId("main")).focus({ preventScroll: true });
}
