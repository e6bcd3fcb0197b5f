// A data set: made, split, frozen, filled from outcomes; one image's label looked up, corrected or removed.

import "./dialogs.js";
import { refresh } from "./console.js";
import { sha256 } from "./hashing.js";
import { ask, byId, say } from "./session.js";
import { t } from "./words.js";

const name = byId("holds")?.dataset.dataset;
const tag = () => ({ "If-Match": `"${byId("revision").dataset.revision}"` });
const WISHES = { split, outcomes };

byId("make")?.addEventListener("submit", (event) => { event.preventDefault(); make(event.target); });
for (const form of document.querySelectorAll("form[data-act]")) form.addEventListener("submit", (event) => { event.preventDefault(); act(form); });
byId("by")?.addEventListener("change", ({ target }) => { for (const part of document.querySelectorAll("[data-for]")) part.hidden = part.dataset.for !== target.value; });
byId("which")?.addEventListener("change", ({ target }) => name && pick(target.files[0]));
byId("correct")?.addEventListener("submit", (event) => { event.preventDefault(); attempt(look); });
byId("sha256")?.addEventListener("input", () => show(null));
byId("put")?.addEventListener("click", () => attempt(put));
byId("remove")?.addEventListener("click", () => byId("removing").showModal());
byId("removing")?.addEventListener("close", ({ target }) => { if (target.returnValue === "yes") attempt(remove); target.returnValue = ""; });

async function make(form) {
  await attempt(async () => {
    const made = await ask("POST", "/v1/datasets", { json: { name: form.elements.name.value, synthetic: form.elements.synthetic.checked } });
    location.assign(`/console/datasets/${made.name}`);
  });
}

// A change of the draft as it stands on this page; what has changed is shown before it is told of, for the next change
// is meant for that.
async function act(form) {
  const dialog = form.closest("dialog"), alert = form.querySelector("[role=alert]"), button = form.querySelector("[type=submit]");
  button.disabled = true;
  try {
    const answer = await ask("POST", form.dataset.act, { json: WISHES[form.id]?.(form), headers: tag() });
    dialog?.close();
    await refresh().catch(() => {});
    tell(form, answer);
  } catch (problem) {
    if (alert) alert.textContent = problem.message;
    else say(problem.message, true);
    await refresh();
  } finally {
    button.disabled = false;
  }
}

function split({ elements }) {
  if (elements.by.value === "patient") return { by: "patient", test_share: Number(elements.percent.value) / 100 };
  return { by: "site", sites: [...document.querySelectorAll("[name=sites]:checked")].map((site) => site.value) };
}

function outcomes({ elements }) {
  return { since: elements.since.value || null, hospital: elements.hospital.value || null };
}

function tell(form, answer) {
  const counted = Object.fromEntries(Object.entries(answer).map(([key, value]) => [key, Array.isArray(value) ? value.length : value]));
  say(answer.new === false ? t("datasets.freeze.unchanged", counted) : t(form.dataset.said, counted));
  if (!answer.refused) return;
  const refused = byId("not-taken");
  refused.hidden = answer.refused.length === 0;
  refused.replaceChildren(...answer.refused.map((each) => Object.assign(document.createElement("li"), { textContent: each.message })));
}

async function pick(file) {
  if (!file) return;
  const hash = await sha256(file);
  if (!hash) return say(t("datasets.correct.no_hash"), true);
  byId("sha256").value = hash;
  await attempt(look);
}

async function look() {
  const hash = byId("sha256").value, { known } = await ask("POST", `/v1/datasets/${name}/known`, { json: [hash] });
  show(known[hash] ?? null);
  byId("held").textContent = known[hash] ? t("datasets.correct.found") : t("datasets.correct.absent");
}

function show(image) {
  for (const id of ["corrections", "put", "remove"]) byId(id).hidden = !image;
  byId("held").textContent = "";
  if (image) [byId("label").value, byId("part").value] = [String(image.malignant), image.split];
  if (image) [byId("label"), byId("part")].forEach((field) => { field.dataset.was = field.value; });
}

// Only what was changed is sent: a part that is said anew holds against the patient's other images.
async function put() {
  const [label, part] = [byId("label"), byId("part")];
  const json = { ...(label.value !== label.dataset.was && { malignant: label.value === "true" }), ...(part.value !== part.dataset.was && { split: part.value }) };
  if (!Object.keys(json).length) return say(t("datasets.correct.unchanged"));
  show(await ask("PUT", `/v1/datasets/${name}/images/${byId("sha256").value}`, { json, headers: tag() }));
  await refresh().catch(() => {});
  say(t("datasets.correct.done"));
}

async function remove() {
  await ask("DELETE", `/v1/datasets/${name}/images/${byId("sha256").value}`, { headers: tag() });
  show(null);
  await refresh().catch(() => {});
  say(t("datasets.correct.removed"));
}

async function attempt(what) {
  try {
    await what();
  } catch (problem) {
    say(problem.message, true);
    if (problem.code === "changed-meanwhile") await refresh();
  }
}
