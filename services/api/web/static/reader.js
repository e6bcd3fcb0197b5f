// The reader's page: sends a case, waits for its job, shows the result. Talks to the public API only.

import { ask, byId, say, who } from "/static/session.js";

const form = byId("case");
const FINAL = new Set(["done", "failed", "cancelled"]);

let person = null;

byId("key").value = sessionStorage.getItem("sera-key") ?? "";
form.addEventListener("submit", (event) => { event.preventDefault(); read(); });
form.addEventListener("reset", () => { say(""); byId("result").hidden = true; });

byId("sign-out").addEventListener("click", signOut);
who().then(greet);

function greet(found) {
  if (found?.must_change) return location.replace("/sign-in");
  person = found;
  byId("signed-in").hidden = !found;
  byId("by-key").hidden = Boolean(found);
  if (found) byId("who").textContent = `Signed in as ${found.name} (${[found.role, found.hospital].filter(Boolean).join(", ")})`;
}

async function signOut() {
  try {
    await ask("DELETE", "/v1/session", { csrf: person.csrf });
    location.reload();
  } catch (problem) {
    say(problem.message, true);
  }
}

async function read() {
  const missing = [...(person ? [] : [["key", "the key"]]), ["size", "a size above 0 mm"], ["image", "an image"]].find(([id]) => !byId(id).checkValidity());
  if (missing) { byId(missing[0]).focus(); return say(`Please give ${missing[1]}.`, true); }
  if (!person) sessionStorage.setItem("sera-key", byId("key").value);
  busy(true);
  byId("result").hidden = true;
  try {
    show(await follow(await submit()));
  } catch (problem) {
    say(problem.message, true);
  } finally {
    busy(false);
  }
}

async function submit() {
  say("Sending the image …");
  const body = new FormData();
  body.set("size_mm", byId("size").value);
  body.set("image", byId("image").files[0]);
  return call("/v1/cases", { method: "POST", body, headers: { "Idempotency-Key": crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` } });
}

async function follow(receipt) {
  let job = await call(receipt.links.job);
  while (!FINAL.has(job.state)) {
    say(job.position ? `Waiting, number ${job.position} in the queue …` : "Being read …");
    job = await call(`${receipt.links.job}?wait=10`);
  }
  if (job.state !== "done") throw new Error(job.message ?? `The case ended as ${job.state}.`);
  return job.result;
}

async function call(path, options = {}) {
  const proof = person ? { "X-CSRF-Token": person.csrf } : { Authorization: `Bearer ${byId("key").value}` };
  const headers = { ...options.headers, ...proof };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch {
    throw new Error("SERA does not answer. Check the network and try again; nothing was lost.");
  }
  const body = await answer.json();
  if (answer.status === 401 && person) greet(null);
  if (!answer.ok) throw new Error(body.detail);
  return body;
}

function show(result) {
  const { fna, model } = result;
  say("");
  preview(byId("image").files[0]);
  byId("risk").textContent = percent(result.risk);
  const decision = result.decision === "refer" ? "refer: let a radiologist decide, whatever stands below" : result.decision;
  byId("decision").textContent = `Decision: ${decision} (score ${result.score.toFixed(2)}, cut-off ${result.cutoff.toFixed(2)} by ${result.cutoff_rule ?? "youden"})`;
  byId("fna").textContent = fna.text;
  byId("rule").textContent = `Rule ${fna.rule}, ${fna.source}; expected share of malignant nodules ${percent(result.prevalence)}.`;
  byId("model").textContent = `Model ${model.name}/${model.version}, ${model.digest.slice(0, 12)}`;
  fill("warnings", result.warnings.map((warning) => line("li", warning.message)));
  fill("readers", result.readers.map((reader) => row(reader.network, reader.classifier, percent(reader.probability))));
  fill("alternatives", fna.alternatives.map((other) => line("li", `${other.rule}: ${other.text}`)));
  byId("result").hidden = false;
  byId("result").scrollIntoView({ block: "nearest" });
}

function preview(file) {
  const image = byId("preview");
  image.hidden = true;
  image.onload = () => { image.hidden = false; URL.revokeObjectURL(image.src); };
  image.src = URL.createObjectURL(file);
}

const percent = (share) => `${Math.round(share * 100)} %`;
const fill = (id, nodes) => byId(id).replaceChildren(...nodes);
const line = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
function row(...cells) { const made = document.createElement("tr"); made.append(...cells.map((cell) => line("td", cell))); return made; }
function busy(on) { form.querySelector("button[type=submit]").disabled = on; }
