// Reader studies: an administrator creates, opens and closes them.

import { ask, byId, say } from "./session.js";
import { t } from "./words.js";

const make = byId("make");

for (const button of document.querySelectorAll("[data-opens]")) button.addEventListener("click", () => byId(button.dataset.opens).showModal());
for (const button of document.querySelectorAll("[data-moves]")) button.addEventListener("click", () => move(button));
for (const radio of make?.querySelectorAll("[name=by]") ?? []) radio.addEventListener("change", showPick);
make?.addEventListener("submit", (event) => { event.preventDefault(); send(); });
if (make) showPick();

async function move(button) {
  button.disabled = true;
  try {
    await ask("POST", button.dataset.moves);
    location.reload();
  } catch (problem) {
    button.closest("dialog")?.close();
    button.disabled = false;
    say(problem.message, true);
  }
}

function showPick() {
  const isByIds = make.elements.by.value === "ids";
  byId("by-count").hidden = isByIds;
  byId("by-ids").hidden = !isByIds;
  byId("count").required = !isByIds;
  byId("ids").required = isByIds;
}

async function send() {
  const button = make.querySelector("[type=submit]"), problems = byId("make-problem");
  const json = study();
  problems.textContent = json.readers.length ? "" : t("studies.new.reader_missing");
  if (!json.readers.length) return;
  button.disabled = true;
  try {
    const created = await ask("POST", "/v1/reader-studies", { json });
    location.assign(`/studies/${created.study_id}`);
  } catch (problem) {
    problems.textContent = problem.message;
    button.disabled = false;
  }
}

function study() {
  const { name, question, by, count, seed, ids } = make.elements;
  const pick = by.value === "ids" ? { by: "ids", ids: ids.value.split(/[\s,;]+/).filter(Boolean) } : { by: by.value, count: Number(count.value) };
  const readers = [...make.querySelectorAll("[name=reader]:checked")].map((checkbox) => checkbox.value);
  return { name: name.value, question: question.value, seed: Number(seed.value), pick, readers };
}
