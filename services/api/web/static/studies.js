// Reader studies: an administrator makes, opens and closes them.

import { ask, byId, say } from "./session.js";
import { t } from "./words.js";

const make = byId("make");

for (const button of document.querySelectorAll("[data-opens]")) button.addEventListener("click", () => byId(button.dataset.opens).showModal());
for (const button of document.querySelectorAll("[data-moves]")) button.addEventListener("click", () => move(button));
for (const radio of make?.querySelectorAll("[name=by]") ?? []) radio.addEventListener("change", choose);
make?.addEventListener("submit", (event) => { event.preventDefault(); send(); });
if (make) choose();

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

function choose() {
  const named = make.elements.by.value === "ids";
  byId("by-count").hidden = named;
  byId("by-ids").hidden = !named;
  byId("count").required = !named;
  byId("ids").required = named;
}

async function send() {
  const button = make.querySelector("[type=submit]"), problems = byId("make-problem");
  const told = study();
  problems.textContent = told.readers.length ? "" : t("studies.new.reader_missing");
  if (!told.readers.length) return;
  button.disabled = true;
  try {
    const made = await ask("POST", "/v1/reader-studies", { json: told });
    location.assign(`/studies/${made.study_id}`);
  } catch (problem) {
    problems.textContent = problem.message;
    button.disabled = false;
  }
}

function study() {
  const { name, question, by, count, seed, ids } = make.elements;
  const pick = by.value === "ids" ? { by: "ids", ids: ids.value.split(/[\s,;]+/).filter(Boolean) } : { by: by.value, count: Number(count.value) };
  const readers = [...make.querySelectorAll("[name=reader]:checked")].map((each) => each.value);
  return { name: name.value, question: question.value, seed: Number(seed.value), pick, readers };
}
