// Training runs: start one, and follow one by server-sent events.

import "./dialogs.js";
import { refresh } from "./console.js";
import { ask, byId, say } from "./session.js";
import { t } from "./words.js";

const PAUSE_MS = 1000;
let busy = false, isRefreshNeeded = false, announcedState = null;

byId("start")?.addEventListener("submit", (event) => { event.preventDefault(); start(event.target); });
for (const form of document.querySelectorAll("dialog form[data-act]")) form.addEventListener("submit", (event) => { event.preventDefault(); act(form); });
if (byId("run")?.dataset.follows) follow(byId("run").dataset.follows);

async function start({ elements }) {
  const [dataset, version] = elements.frozen.value.split("/");
  const json = { dataset, version: Number(version), recipe: elements.recipe.value, seed: Number(elements.seed.value), ...(elements.folds.value && { folds: Number(elements.folds.value) }) };
  try {
    location.assign(`/console/runs/${(await ask("POST", "/v1/training-runs", { json })).run_id}`);
  } catch (problem) {
    say(problem.message, true);
  }
}

async function act(form) {
  try {
    await ask("POST", form.dataset.act);
    location.reload();
  } catch (problem) {
    form.querySelector("[role=alert]").textContent = problem.message;
  }
}

// The stream ends with the run. The browser reconnects by itself if the connection breaks.
function follow(path) {
  const stream = new EventSource(path);
  stream.addEventListener("log", requestRefresh);
  stream.addEventListener("run", ({ data }) => {
    requestRefresh();
    const { state } = JSON.parse(data);
    if (state !== announcedState) say(t(`runs.states.${state}`));
    announcedState = state;
    if (["done", "failed", "cancelled"].includes(state)) stream.close();
  });
  addEventListener("pagehide", () => stream.close());
}

// Refreshes the page at most once a second, and once more after the last event.
async function requestRefresh() {
  isRefreshNeeded = true;
  if (busy) return;
  busy = true;
  while (isRefreshNeeded) {
    isRefreshNeeded = false;
    await refresh().catch(() => {});
    byId("log")?.scrollTo(0, byId("log").scrollHeight);
    await new Promise((settle) => setTimeout(settle, PAUSE_MS));
  }
  busy = false;
}
