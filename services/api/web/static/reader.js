// The page of a new case: collects size, image and options, sends them once, and opens the case.

import { Description } from "./lexicon.js";
import { Picture } from "./picture.js";
import { ask, byId, newKey, say } from "./session.js";
import { SizeField } from "./size.js";
import { t } from "./words.js";

const form = byId("case");
const PHONE = matchMedia("(max-width: 40rem)");
const size = new SizeField(Number(form.dataset.largest));
const picture = new Picture((mm) => size.offer(mm));
const description = new Description();

let lastRequest = {};
let busy = false;

form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
form.addEventListener("reset", clear);
form.querySelector("[type=reset]").addEventListener("click", (event) => { event.preventDefault(); reset(); });
addEventListener("pageshow", ({ persisted }) => persisted && form.reset());
PHONE.addEventListener("change", arrange);
arrange();
readEarlierInput();

// Input from before this script ran is read now; the button is enabled only then.
function readEarlierInput() {
  size.changed();
  for (const input of [byId("file"), byId("camera")]) if (input.files.length) input.dispatchEvent(new Event("change"));
  release();
}

// On a phone the camera comes first, in the layout and in the tab order.
function arrange() {
  const sizeSection = form.querySelector(".size"), imageSection = form.querySelector(".image");
  const [first, second] = PHONE.matches ? [imageSection, sizeSection] : [sizeSection, imageSection];
  if (first.nextElementSibling !== second) first.after(second); // moved only if needed: a moved element loses the focus
}

function reset() {
  form.reset();
  say(t("reader.cleared"));
  if (!PHONE.matches) byId("size").focus();
}

function clear() {
  lastRequest = {};
  size.clear();
  picture.clear();
  description.clear();
  description.section.open = false;
  release();
  say("");
}

async function submit() {
  if (busy) return;
  setBusy(t("reader.image.looking"));
  await picture.ready;
  const [field, problem] = objection() ?? [];
  if (problem) { release(); say(problem, true); return field.focus(); }
  setBusy(t("reader.sending"));
  try {
    const { case_id: caseId } = await send();
    location.assign(`/cases/${caseId}`);
  } catch (problem) {
    release();
    say(problem.message, true);
  }
}

async function send() {
  try {
    return await ask("POST", "/v1/cases", caseRequest());
  } catch (problem) {
    if (problem.code !== "preview-not-kept") throw problem;
    picture.forgetKept();
    return ask("POST", "/v1/cases", caseRequest());
  }
}

// The field to correct and its message; undefined if there is none.
function objection() {
  const sizeProblem = size.objection(), imageField = byId(PHONE.matches ? "camera" : "file");
  const missing = picture.file ? null : t("reader.image.missing");
  const problems = [sizeProblem && [byId("size-doubt").querySelector("button") ?? byId("size"), sizeProblem], missing && [imageField, missing]];
  return [...(PHONE.matches ? problems.reverse() : problems), description.objection()].find(Boolean);
}

// The request. Its idempotency key changes only with its fields, so that a repeated request makes no second case.
function caseRequest() {
  const { image, turn, ...imageFields } = picture.parts();
  const fields = { ...imageFields, size_mm: size.mm, external_id: byId("external").value.trim(), priority: byId("urgent").checked ? "urgent" : "routine", descriptors: description.json };
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value !== null && value !== "") body.set(name, value);
  if (image) body.set("image", image, image.name ?? "image.png");
  const content = JSON.stringify([turn, fields]);
  if (content !== lastRequest.content) lastRequest = { content, key: newKey() };
  return { body, headers: { "Idempotency-Key": lastRequest.key } };
}

function setBusy(text) {
  busy = byId("submit").disabled = true;
  say(text);
}

function release() {
  busy = byId("submit").disabled = false;
}
