// The page of a new case: gathers size, image and wishes, sends them once, and goes on to the case.

import { Description } from "./lexicon.js";
import { Picture } from "./picture.js";
import { ask, byId, once, say } from "./session.js";
import { SizeField } from "./size.js";
import { t } from "./words.js";

const form = byId("case");
const PHONE = matchMedia("(max-width: 40rem)");
const size = new SizeField(Number(form.dataset.largest));
const picture = new Picture((mm) => size.offer(mm));
const description = new Description();

let sent = {};
let busy = false;

form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
form.addEventListener("reset", clear);
form.querySelector("[type=reset]").addEventListener("click", (event) => { event.preventDefault(); start(); });
addEventListener("pageshow", ({ persisted }) => persisted && form.reset());
PHONE.addEventListener("change", arrange);
arrange();
heard();

// What was typed or chosen before this script listened stays; nothing can be sent before.
function heard() {
  size.changed();
  for (const input of [byId("file"), byId("camera")]) if (input.files.length) input.dispatchEvent(new Event("change"));
  free();
}

// On a phone the camera comes first, for the eye and for the keyboard alike.
function arrange() {
  const [sized, imaged] = [form.querySelector(".size"), form.querySelector(".image")];
  const [first, second] = PHONE.matches ? [imaged, sized] : [sized, imaged];
  if (first.nextElementSibling !== second) first.after(second); // moved only where it must be: what moves loses the focus
}

function start() {
  form.reset();
  say(t("reader.cleared"));
  if (!PHONE.matches) byId("size").focus();
}

function clear() {
  sent = {};
  size.clear();
  picture.clear();
  description.clear();
  description.place.open = false;
  free();
  say("");
}

async function submit() {
  if (busy) return;
  hold(t("reader.image.looking"));
  await picture.ready;
  const [field, problem] = objection() ?? [];
  if (problem) { free(); say(problem, true); return field.focus(); }
  hold(t("reader.sending"));
  try {
    const { case_id: made } = await ask("POST", "/v1/cases", parcel());
    location.assign(`/cases/${made}`);
  } catch (refused) {
    free();
    say(refused.message, true);
  }
}

// Where to mend, and what.
function objection() {
  const sized = size.objection(), pick = byId(PHONE.matches ? "camera" : "file");
  const missing = picture.file ? null : t("reader.image.missing");
  const problems = [sized && [byId("size-doubt").querySelector("button") ?? byId("size"), sized], missing && [pick, missing]];
  return [...(PHONE.matches ? problems.reverse() : problems), description.objection()].find(Boolean);
}

// The request; its key stays the same for as long as nothing of it changes, so that sent again it makes no second case.
function parcel() {
  const { image, turn, ...told } = picture.parts();
  const fields = { ...told, size_mm: size.mm, external_id: byId("external").value.trim(), priority: byId("urgent").checked ? "urgent" : "routine", descriptors: description.told };
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value !== null && value !== "") body.set(name, value);
  if (image) body.set("image", image, image.name ?? "image.png");
  const asked = JSON.stringify([turn, fields]);
  if (asked !== sent.asked) sent = { asked, key: once() };
  return { body, headers: { "Idempotency-Key": sent.key } };
}

function hold(text) {
  busy = byId("submit").disabled = true;
  say(text);
}

function free() {
  busy = byId("submit").disabled = false;
}
