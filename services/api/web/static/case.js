// A case: follows its job until it is final, then shows the server's own result in place; heatmap, print, run again.

import { mountHeatmap } from "./heatmap.js";
import { ask, byId, say } from "./session.js";
import { zone } from "./times.js";
import { t } from "./words.js";

const FINAL = new Set(["done", "failed", "cancelled"]), WAIT_S = 20, PAUSE_MS = 2000;

begin();

function begin() {
  const { case: caseId, job, state } = byId("case").dataset;
  if (!FINAL.has(state)) return follow(job).then(() => refresh());
  if (state === "done") picture(caseId);
  if (byId("pdf")) byId("pdf").search += `&zone=${encodeURIComponent(zone)}`;
  byId("print")?.addEventListener("click", () => print());
  byId("rerun")?.addEventListener("click", () => rerun(job));
}

function picture(caseId) {
  const place = byId("picture"), image = place.querySelector("img");
  const lost = () => { place.hidden = true; byId("picture-said").textContent = t("case.image.lost"); };
  if (image.complete && !image.naturalWidth) return lost();
  image.addEventListener("error", lost);
  mountHeatmap(place, { caseId, words: t });
}

// Until the job is final: by its events, or by asking where these do not come through.
function follow(job) {
  return new Promise((/** @type {(value: void) => void} */ ended) => {
    const events = new EventSource(`/v1/jobs/${job}/events`);
    events.addEventListener("job", ({ data }) => {
      if (tell(JSON.parse(data))) { events.close(); ended(); }
    });
    events.addEventListener("error", () => { events.close(); poll(job).then(ended); });
  });
}

async function poll(job) {
  for (;;) {
    try {
      if (tell(await ask("GET", `/v1/jobs/${job}?wait=${WAIT_S}`))) return;
    } catch (problem) {
      if ([401, 404, 410].includes(problem.status)) return;
      byId("progress-said").textContent = problem.message;
      await new Promise((go) => setTimeout(go, 1000 * (problem.later ?? 0) || PAUSE_MS));
    }
  }
}

// Says how far it is; whether it is final.
function tell({ state, position, eta_s: eta }) {
  if (FINAL.has(state)) return true;
  const said = position ? [t("case.queued", { position })] : [t("case.running")];
  if (position && eta) said.push(eta < 90 ? t("case.eta_seconds", { n: Math.ceil(eta) }) : t("case.eta_minutes", { n: Math.round(eta / 60) }));
  if (byId("progress-said").textContent !== said.join(" ")) byId("progress-said").textContent = said.join(" ");
  return false;
}

// The page as the server has it now; wholly anew where there is no such case to be seen any more.
async function refresh() {
  const answer = await fetch(location.href).catch(() => null);
  const made = answer && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("case");
  if (!made) return location.reload();
  byId("case").replaceWith(document.adoptNode(made));
  say(t(made.dataset.state === "done" ? "case.ready" : "case.changed"));
  begin();
}

async function rerun(job) {
  byId("rerun").disabled = true;
  try {
    await ask("POST", `/v1/jobs/${job}/rerun`);
    await refresh();
  } catch (problem) {
    say(problem.message, true);
    byId("rerun").disabled = false;
  }
}
