// Data sets: create, split, freeze, import outcomes; lookUp up, correct or remove one image.

import "./dialogs.js";
import { refresh } from "./console.js";
import { sha256 } from "./hashing.js";
import { ask, byId, say } from "./session.js";
import { t } from "./words.js";

const name = byId("holds")?.dataset.dataset;
const tag = () => ({ "If-Match": `"${byId("revision").dataset.revision}"` });
const REQUEST_BODIES = { split, outcomes };

byId("make")?.addEventListener("submit", (event) => { event.preventDefault(); create(event.target); });
for (const form of document.querySelectorAll("form[data-act]")) form.addEventListener("submit", (event) => { event.preventDefault(); act(form); });
byId("by")?.addEventListener("change", ({ target }) => { for (const part of document.querySelectorAll("[data-for]")) part.hidden = part.dataset.for !== target.value; });
byId("which")?.addEventListener("change", ({ target }) => name && hashFile(target.files[0]));
byId("correct")?.addEventListener("submit", (event) => { event.preventDefault(); attempt(lookUp); });
byId("sha256")?.addEventListener("input", () => show(null));
byId("put")?.addEventListener("click", () => attempt(correct));
byId("remove")?.addEventListener("click", () => byId("removing").showModal());
byId("removing")?.addEventListener("close", ({ target }) => { if (target.returnValue === "yes") attempt(remove); target.returnValue = ""; });

async function create(form) {
  await attempt(async () => {
    const dataset = await ask("POST", "/v1/datasets", { json: { name: form.elements.name.value, synthetic: form.elements.synthetic.checked } });
    location.assign(`/console/datasets/${dataset.name}`);
  });
}

// Changes the draft, provided that it is still as on this page. The page is refreshed before the message appears, as the
// next change refers to the new draft.
async function act(form) {
  const dialog = form.closest("dialog"), alert = form.querySelector("[role=alert]"), button = form.querySelector("[type=submit]");
  button.disabled = true;
  try {
    const answer = await ask("POST", form.dataset.act, { json: REQUEST_BODIES[form.id]?.(form), headers: tag() });
    dialog?.close();
    await refresh().catch(() => {});
    showResult(form, answer);
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

function showResult(form, answer) {
  const counts = Object.fromEntries(Object.entries(answer).map(([key, value]) => [key, Array.isArray(value) ? value.length : value]));
  say(answer.new === false ? t("datasets.freeze.unchanged", counts) : t(form.dataset.said, counts));
  if (!answer.refused) return;
  const refused = byId("not-taken");
  refused.hidden = answer.refused.length === 0;
  refused.replaceChildren(...answer.refused.map((refusal) => Object.assign(document.createElement("li"), { textContent: refusal.message })));
}

async function hashFile(file) {
  if (!file) return;
  const hash = await sha256(file);
  if (!hash) return say(t("datasets.correct.no_hash"), true);
  byId("sha256").value = hash;
  await attempt(lookUp);
}

async function lookUp() {
  const hash = byId("sha256").value, { known } = await ask("POST", `/v1/datasets/${name}/known`, { json: [hash] });
  show(known[hash] ?? null);
  byId("lookup-result").textContent = known[hash] ? t("datasets.correct.found") : t("datasets.correct.absent");
}

function show(image) {
  for (const id of ["corrections", "put", "remove"]) byId(id).hidden = !image;
  byId("lookup-result").textContent = "";
  if (image) [byId("label").value, byId("part").value] = [String(image.malignant), image.split];
  if (image) [byId("label"), byId("part")].forEach((field) => { field.dataset.was = field.value; });
}

// Sends changed fields only: a part that is sent again is checked against the patient's other images.
async function correct() {
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

async function attempt(action) {
  try {
    await action();
  } catch (problem) {
    say(problem.message, true);
    if (problem.code === "changed-meanwhile") await refresh();
  }
}
