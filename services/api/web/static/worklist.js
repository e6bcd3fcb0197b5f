// The worklist: rows that refresh while a case is unfinished, and the dialogs for one case.

import { OutcomeSender, fillOutcome } from "./outcome.js";
import { ask, byId, say } from "./session.js";
import { t } from "./words.js";

const POLL_INTERVAL_MS = 2000;
const DAY = { from: "00:00", to: "23:59:59.999" };
/** @typedef {{row: string, act: string, href: string | null} | null} Place */

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** @type {string | null} */
let etag = null;
// The open dialog: its row's data, where the focus was, and the sender of its outcome.
/** @type {{row: Record<string, string>, focus: Place, sender: OutcomeSender}} */
let open;

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (button) ACTIONS[button.dataset.act](button);
});
for (const button of document.querySelectorAll("[data-closes]")) button.addEventListener("click", () => button.closest("dialog").close());
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); send(dialog); });
  dialog.addEventListener("close", () => focusOn(open.focus));
}
// A day means its local start and end; empty fields are left out.
byId("filters").addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of [...formData]) {
    if (!value) formData.delete(name);
    else if (name in DAY) formData.set(name, new Date(`${value}T${DAY[name]}`).toISOString());
  }
});
for (const field of document.querySelectorAll("[data-at*=T]")) field.value = new Date(field.dataset.at).toLocaleDateString("sv");
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : scheduleRefresh(0)));
scheduleRefresh();

const ACTIONS = {
  outcome: (button) => show("outcome", button, (form) => fillOutcome(form, open.row.outcome ? JSON.parse(open.row.outcome) : null)),
  erase: (button) => show("erase", button, () => {}),
  rerun: (button) => rerun(button, `/v1/jobs/${row(button).dataset.job}/rerun`, () => t("worklist.rerun_done", { name: row(button).dataset.name })),
  "rerun-all": (button) => rerun(button, `/v1/jobs/rerun?reason=${encodeURIComponent(button.dataset.reason)}`, (done) => t(done.more ? "worklist.dead.queued_more" : "worklist.dead.queued", { n: done.queued })),
};
const REQUESTS = {
  outcome: (form) => open.sender.send(open.row.case, form),
  erase: (form) => ask("DELETE", `/v1/cases/${open.row.case}?ground=${form.elements.ground.value}`),
};

const row = (button) => button.closest("tr");

async function rerun(button, path, done) {
  button.disabled = true;
  try {
    const answer = await ask("POST", path);
    say(done(answer));
    await refresh();
  } catch (problem) {
    button.disabled = false;
    say(problem.message, true);
  }
}

function show(id, button, fill) {
  const dialog = byId(id), form = dialog.querySelector("form");
  open = { row: { ...row(button).dataset }, focus: focused(), sender: new OutcomeSender() };
  form.reset();
  dialog.querySelector(".of").textContent = open.row.name;
  dialog.querySelector("[role=alert]").textContent = "";
  fill(form);
  dialog.showModal();
}

async function send(dialog) {
  const form = dialog.querySelector("form"), button = form.querySelector("[type=submit]");
  button.disabled = true;
  try {
    await REQUESTS[dialog.id](form);
    await refresh();
    dialog.close();
    say(t(`worklist.${dialog.id}.done`, { name: open.row.name }));
  } catch (problem) {
    dialog.querySelector("[role=alert]").textContent = problem.message;
  } finally {
    button.disabled = false;
  }
}

function scheduleRefresh(ms = POLL_INTERVAL_MS) {
  clearTimeout(timer);
  if (!document.hidden && "unfinished" in byId("list").dataset) timer = setTimeout(refresh, ms);
}

async function refresh() {
  clearTimeout(timer);
  try {
    const answer = await fetch(`/worklist/rows?${byId("list").dataset.query}`, { headers: etag ? { "If-None-Match": etag } : {}, redirect: "manual" });
    if (answer.type === "opaqueredirect") return location.reload();
    if (answer.ok) replaceList(new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("list"), answer.headers.get("ETag"));
  } catch {
    say(t("common.away"), true);
  }
  scheduleRefresh();
}

function replaceList(fresh, tag) {
  const before = states(), focus = focused();
  byId("list").replaceWith(fresh);
  etag = tag;
  focusOn(focus);
  const changed = [...states()].filter(([id, state]) => before.has(id) && before.get(id) !== state);
  if (changed.length) say(changed.map(([id, state]) => t("worklist.changed", { name: byId(id).dataset.name, state: t(`common.state.${state}`) })).join(" "));
}

const states = () => new Map([...document.querySelectorAll("tr[data-job]")].map((row) => [row.id, row.dataset.state]));

// The focused control of the list, so that the focus survives a refresh of the list.
/** @returns {Place} */
function focused() {
  const at = /** @type {PageElement | null} */ (document.activeElement);
  if (!at?.closest("#list")) return null;
  return { row: at.closest("tr")?.id, act: at.dataset.act, href: at.getAttribute("href") };
}

function focusOn(place) {
  if (!place || document.activeElement?.closest("dialog[open]")) return;
  const part = byId(place.row) ?? byId("list");
  const same = [...part.querySelectorAll("a, button")].find((control) => control.dataset.act === place.act && control.getAttribute("href") === place.href);
  (same ?? byId("main")).focus({ preventScroll: true });
}
