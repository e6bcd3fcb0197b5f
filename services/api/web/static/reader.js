// The page of a new case: collects image, size, description and options, sends them once, and opens the case.

import { Description } from "./lexicon.js";
import { Picture } from "./picture.js";
import { ask, byId, newKey, say } from "./session.js";
import { SizeField } from "./size.js";
import { Steps } from "./steps.js";
import { t } from "./words.js";

const form = byId("case");
const size = new SizeField(Number(form.dataset.largest));
const steps = new Steps(form);
const picture = new Picture({
  onMeasured: (mm) => size.offer(mm),
  onDiameters: (mm) => size.fill(mm),
  onShown: showImage,
});
const description = new Description();

let lastRequest = {};
let busy = false;

form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
form.addEventListener("input", () => { if (!busy) say(""); });
form.addEventListener("reset", clear);
form.querySelector("[type=reset]").addEventListener("click", (event) => { event.preventDefault(); reset(); });
addEventListener("pageshow", ({ persisted }) => persisted && form.reset());
// "Next case" of a result comes here.
if (location.hash === "#new") imageField().focus();
readEarlierInput();

// Input from before this script ran is read now; the button is enabled only then.
function readEarlierInput() {
  size.changed();
  for (const input of [byId("file"), byId("camera")]) if (input.files.length) input.dispatchEvent(new Event("change"));
  release();
}

// The field for an image that the page offers first.
function imageField() { return byId(steps.areUsed ? "camera" : "file"); }

// The image takes the place of the field for it, and the keys go to the viewer unless the reader is typing.
function showImage(isShown) {
  form.classList.toggle("has-image", isShown);
  steps.show(isShown ? "nodule" : "image");
  const { activeElement } = document, isFree = !activeElement || activeElement === document.body || byId("drop").contains(activeElement);
  if (isShown && isFree) picture.viewer.canvas.focus({ preventScroll: true });
}

function reset() {
  form.reset();
  say(t("reader.cleared"));
  imageField().focus();
}

function clear() {
  lastRequest = {};
  size.clear();
  picture.clear();
  description.clear();
  release();
  say("");
}

async function submit() {
  if (busy) return;
  setBusy(t("reader.image.looking"));
  picture.viewer.frames.pause();
  const isReady = await picture.ready;
  // What is seen changed back as its change failed: the reader looks again before it is sent.
  if (isReady === false && picture.file) { picture.ready = null; return release(); }
  const [field, problem] = objection() ?? [];
  if (problem) return object(field, problem);
  setBusy(t("reader.sending"));
  try {
    const { case_id: caseId } = await send();
    location.assign(`/cases/${caseId}`);
  } catch (problem) {
    release();
    say(problem.message, true);
  }
}

function object(field, problem) {
  release();
  steps.show(picture.file ? "facts" : "image");
  say(problem, true);
  field.focus();
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
  const sizeProblem = size.objection();
  const problems = [
    picture.file ? null : [imageField(), t("reader.image.missing")],
    sizeProblem && [byId("size-doubt").querySelector("button") ?? byId("size"), sizeProblem],
    description.objection(),
  ];
  return problems.find(Boolean);
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
