// The console's acts: what a form or button asks of the API stands in its data; secrets are shown once, in a dialog.

import { ask, byId, say } from "./session.js";

const main = byId("main");

main.addEventListener("submit", (event) => {
  if (!event.target.dataset.ask) return;
  event.preventDefault();
  act(event.target, event.target.querySelector("[type=submit]"), told(event.target));
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
for (const live of main.querySelectorAll("[data-every]")) setInterval(() => idle(live) && refresh(), Number(live.dataset.every) * 1000);

async function act(asking, button, json) {
  const { ask: route, sure, tag, secret, done } = asking.dataset, [method, path] = route.split(" ");
  if (sure && !await agreed(filled(sure, asking))) return;
  button.disabled = true;
  try {
    if (asking.dataset.retention && !await kept(asking, path, json)) return;
    const answer = await ask(method, path, { json, headers: tag ? { "If-Match": `"${tag}"` } : {} });
    if (secret && answer[secret]) await show(answer[secret]);
    if (asking instanceof HTMLFormElement && !tag) asking.reset();
    await refresh();
    say(done ?? "");
  } catch (problem) {
    say(problem.message, true);
    if (problem.code === "changed-meanwhile") await tellLatest();
  } finally {
    button.disabled = false;
  }
}

// What a form says: numbers as numbers, and nothing typed as null where there is something to take back.
function told(form) {
  return Object.fromEntries([...form.elements].filter((field) => field.name).map((field) => [field.name, value(field)]));
}

function value(field) {
  if (field.value === "") return null;
  return field.type === "number" ? Number(field.value) : field.value;
}

// A question with what the form says in the places of its {fields}, as a person reads it there.
function filled(text, form) {
  const shown = (field) => field.selectedOptions?.[0].text ?? field.value;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (form.elements?.[name] ? shown(form.elements[name]) : whole));
}

function agreed(text) {
  const dialog = byId("sure");
  byId("sure-text").textContent = text;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((settle) => dialog.addEventListener("close", () => settle(dialog.returnValue === "yes"), { once: true }));
}

// A shorter retention erases cases: how many is asked for first.
async function kept(form, path, json) {
  const { due } = await ask("PATCH", `${path}?dry_run=true`, { json });
  return due === 0 || agreed(form.dataset.retention.replace("{n}", due));
}

export function show(secret) {
  const dialog = byId("secret");
  byId("secret-text").value = secret;
  dialog.showModal();
  return new Promise((settle) => dialog.addEventListener("close", settle, { once: true }));
}

// This page as it is now; whoever was signed out meanwhile is sent to sign in.
async function fresh() {
  const answer = await fetch(location.href);
  if (answer.redirected) location.reload();
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

export async function refresh() {
  const now = await fresh();
  for (const live of main.querySelectorAll("[data-live]")) {
    const held = live.contains(document.activeElement), found = now.querySelector(`[data-live="${live.dataset.live}"]`);
    if (!found) continue;
    const aside = [...live.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
    live.replaceChildren(...found.childNodes);
    live.querySelectorAll(".scroll").forEach((each, at) => { each.scrollLeft = aside[at] ?? 0; });
    if (held) main.focus();
  }
}

const idle = (live) => !document.hidden && !document.querySelector("dialog[open]") && !live.contains(document.activeElement);

// Another was faster: who, and what it is now.
async function tellLatest() {
  const latest = byId("latest");
  latest.replaceChildren(...(await fresh()).getElementById("latest").childNodes);
  latest.hidden = false;
}
