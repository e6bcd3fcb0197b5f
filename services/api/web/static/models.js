// Model pages: forms that call the API, and parts of the page that refresh while they change.

import "./dialogs.js";
import { ask, byId, say } from "./session.js";
import { localTimes } from "./times.js";

for (const button of document.querySelectorAll("[data-acts]")) button.addEventListener("click", () => act(button));
for (const form of document.querySelectorAll("form[data-act]")) form.addEventListener("submit", (event) => { event.preventDefault(); send(form); });
for (const part of document.querySelectorAll("[data-refreshes]")) setInterval(() => refresh(part.id), Number(part.dataset.refreshes));

async function send(form) {
  const alert = form.querySelector("[role=alert]");
  alert.textContent = "";
  try {
    await ask(form.dataset.act, form.dataset.to, { json: form.dataset.act === "POST" ? formValues(form) : undefined });
    location.reload();
  } catch (problem) {
    alert.textContent = problem.message;
  }
}

function formValues(form) {
  const fields = [...form.elements].filter((field) => field.name && field.value !== "");
  return Object.fromEntries(fields.map((field) => [field.name, "number" in field.dataset ? Number(field.value) : field.value]));
}

async function act(button) {
  try {
    await ask(button.dataset.acts, button.dataset.to);
    say(button.dataset.said);
  } catch (problem) {
    say(problem.message, true);
  }
}

async function refresh(id) {
  if (document.hidden) return;
  const answer = await fetch(location.href);
  const fresh = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
  if (fresh) localTimes(fresh);
  if (fresh && fresh.innerHTML !== byId(id).innerHTML) byId(id).replaceChildren(...fresh.childNodes);
}
