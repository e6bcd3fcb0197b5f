// Actions of the console. The data attributes of a form or button name its API request; secrets are shown once, in a dialog.

import { ask, byId, say } from "./session.js";

const main = byId("main");

main.addEventListener("submit", (event) => {
  if (!event.target.dataset.ask) return;
  event.preventDefault();
  act(event.target, event.target.querySelector("[type=submit]"), formValues(event.target));
});
main.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-ask]");
  if (button) act(button, button, button.dataset.json && JSON.parse(button.dataset.json));
  if (event.target.closest("[data-reload]")) location.reload();
});
byId("secret-copy").hidden = !navigator.clipboard;
byId("secret-copy").addEventListener("click", async ({ target }) => {
  await navigator.clipboard.writeText(byId("secret-text").value);
  target.textContent = target.dataset.copied;
});
byId("secret").addEventListener("close", () => { byId("secret-text").value = ""; });
for (const live of main.querySelectorAll("[data-every]")) setInterval(() => isIdle(live) && refresh(), Number(live.dataset.every) * 1000);

async function act(source, button, json) {
  const { ask: route, sure, tag, secret, done } = source.dataset, [method, path] = route.split(" ");
  if (sure && !await confirmed(fillIn(sure, source))) return;
  button.disabled = true;
  try {
    if (source.dataset.retention && !await confirmRetention(source, path, json)) return;
    const answer = await ask(method, path, { json, headers: tag ? { "If-Match": `"${tag}"` } : {} });
    if (secret && answer[secret]) await showSecret(answer[secret]);
    if (source instanceof HTMLFormElement && !tag) source.reset();
    await refresh();
    say(done ?? "");
  } catch (problem) {
    say(problem.message, true);
    if (problem.code === "changed-meanwhile") await showLatestChange();
  } finally {
    button.disabled = false;
  }
}

// The values of a form: numbers as numbers, an empty field as null, which resets a setting.
function formValues(form) {
  return Object.fromEntries([...form.elements].filter((field) => field.name).map((field) => [field.name, value(field)]));
}

function value(field) {
  if (field.value === "") return null;
  return field.type === "number" ? Number(field.value) : field.value;
}

// A question with its {fields} replaced by the values that the form shows.
function fillIn(text, form) {
  const displayedValue = (field) => field.selectedOptions?.[0].text ?? field.value;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (form.elements?.[name] ? displayedValue(form.elements[name]) : whole));
}

function confirmed(text) {
  const dialog = byId("sure");
  byId("sure-text").textContent = text;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((settle) => dialog.addEventListener("close", () => settle(dialog.returnValue === "yes"), { once: true }));
}

// A shorter retention erases cases: asks for confirmation with their number.
async function confirmRetention(form, path, json) {
  const { due } = await ask("PATCH", `${path}?dry_run=true`, { json });
  return due === 0 || confirmed(form.dataset.retention.replace("{n}", due));
}

export function showSecret(secret) {
  const dialog = byId("secret");
  byId("secret-text").value = secret;
  dialog.showModal();
  return new Promise((settle) => dialog.addEventListener("close", settle, { once: true }));
}

// The present page of the server. A visitor who was signed out is sent to sign in.
async function fetchPage() {
  const answer = await fetch(location.href);
  if (answer.redirected) location.reload();
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

export async function refresh() {
  const now = await fetchPage();
  for (const live of main.querySelectorAll("[data-live]")) {
    const hadFocus = live.contains(document.activeElement), updated = now.querySelector(`[data-live="${live.dataset.live}"]`);
    if (!updated) continue;
    const offsets = [...live.querySelectorAll(".scroll")].map((area) => area.scrollLeft);
    live.replaceChildren(...updated.childNodes);
    live.querySelectorAll(".scroll").forEach((area, index) => { area.scrollLeft = offsets[index] ?? 0; });
    if (hadFocus) main.focus();
  }
}

const isIdle = (live) => !document.hidden && !document.querySelector("dialog[open]") && !live.contains(document.activeElement);

// Shows who changed the settings meanwhile, and their present values.
async function showLatestChange() {
  const latest = byId("latest");
  latest.replaceChildren(...(await fetchPage()).getElementById("latest").childNodes);
  latest.hidden = false;
}
