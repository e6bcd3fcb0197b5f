// Many images at once: chosen, given their sizes, sent a few at a time, and watched while they are read.

import { ask, byId, say } from "./session.js";
import { Sending } from "./sending.js";
import { t } from "./words.js";
import { readCsv, called } from "./batch-csv.js";
import { digestOf, forget, keep, kept, keyOf } from "./batch-kept.js";
import { checks, FINAL, Item, paint, place, shown } from "./batch-rows.js";
import { understood } from "./sizes.js";

/** @typedef {import("./batch-kept.js").Batch} Batch */

const LOOK_EVERY_MS = 2000;
const AWAY_S = 10;
const PAGE = 200;
const CSV = /\.csv$/i;
const CHANGED = "idempotency-key-reused";
const form = byId("batch");
const mostBytes = Number(form.dataset.mostBytes);
const sending = new Sending(post, told);

let batch = kept(form.dataset.person);
/** @type {Item[]} */
let items = [];
/** @type {import("./batch-csv.js").Csv | null} */
let csv = null;
/** @type {ReturnType<typeof setTimeout> | null} */
let watch = null;

begin();
form.addEventListener("submit", (event) => { event.preventDefault(); send(items.filter((item) => item.state === "ready")); });
for (const input of [byId("files"), byId("csv")]) input.addEventListener("click", () => { input.value = ""; });
byId("files").addEventListener("change", () => add([...byId("files").files]));
byId("csv").addEventListener("change", () => add([], byId("csv").files[0]));
byId("give-size").addEventListener("click", giveSize);
byId("one-size").addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); giveSize(); } });
byId("stop").addEventListener("click", () => { sending.stop(); say(t("batch.stopped")); refresh(); });
byId("again").addEventListener("click", () => send(items.filter((item) => item.state === "refused")));
byId("anew").addEventListener("click", () => { forget(); location.reload(); });
document.addEventListener("visibilitychange", follow);
addEventListener("beforeunload", (event) => { if (sending.busy) event.preventDefault(); });
document.addEventListener("dragover", (event) => { event.preventDefault(); byId("drop").classList.add("over"); });
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) byId("drop").classList.remove("over"); });
document.addEventListener("drop", (event) => { event.preventDefault(); byId("drop").classList.remove("over"); add([...event.dataTransfer?.files ?? []]); });

function begin() {
  byId("label").value = batch?.label ?? suggested();
  if (!batch) return refresh();
  byId("priority").value = batch.priority;
  const images = Object.entries(batch.images);
  for (const [key, { case: caseId }] of images) if (caseId) enter(new Item({ key, caseId }));
  const [sent, total] = [items.length, images.length];
  const key = sent === total ? "batch.complete" : batch.csv ? "batch.resume_csv" : "batch.resume";
  byId("resume").textContent = t(key, { label: batch.label, sent, total });
  byId("resume").classList.toggle("warn", sent !== total);
  byId("resume").hidden = false;
  refresh();
  if (sent) watch = setTimeout(look);
}

// Date and time here: what the person looks for later.
function suggested() {
  const now = new Date();
  return new Date(now.getTime() - 60_000 * now.getTimezoneOffset()).toISOString().slice(0, 19).replace("T", " ");
}

async function add(files, table = files.find((file) => CSV.test(file.name))) {
  say(t("batch.reading"));
  if (table) await useCsv(table);
  for (const file of files) if (!CSV.test(file.name)) await addImage(file);
  say(table && csv && !csv.headless ? t("batch.csv_used", { rows: csv.rows.size }) : "");
  refresh();
}

async function useCsv(file) {
  csv = await readCsv(file);
  for (const item of items) fromCsv(item);
}

async function addImage(file) {
  const digest = await digestOf(file);
  const key = batch && await keyOf(batch.label, digest);
  const earlier = key && items.find((item) => item.key === key && !item.file);
  if (earlier) return Object.assign(earlier, { file, digest });
  const item = new Item({ file, digest, key, mostBytes, twin: items.find((each) => each.digest === digest) });
  const mm = key && batch?.images[key]?.mm;
  if (mm) item.size = t("common.mm", { value: mm });
  fromCsv(item);
  enter(item);
}

function fromCsv(item) {
  item.row = (item.free && item.file && csv?.rows.get(called(item.file.name))) || item.row;
  if (item.free && item.row?.size_mm) item.size = shown(item.row.size_mm);
}

function enter(item) {
  items.push(item);
  place(item, { retry: (each) => send([each]), remove, edited: refresh });
}

function remove(item) {
  items = items.filter((each) => each !== item);
  for (const each of items) if (each.twin === item) each.twin = items.find((other) => other !== each && !other.twin && other.digest === each.digest) ?? null;
  if (batch) { delete batch.images[item.key]; keep(batch); }
  item.place.remove();
  byId("table").querySelector("input:enabled")?.focus();
  refresh();
}

function giveSize() {
  const mm = understood(byId("one-size").value);
  if (mm === null) { byId("one-size").focus(); return say(`${t("batch.one_size")}: ${t("batch.state.wrong")}`, true); }
  byId("one-size").value = shown(byId("one-size").value);
  for (const item of items) if (item.state === "unsized") item.size = byId("one-size").value;
  say("");
  refresh();
}

async function send(some) {
  const label = byId("label").value.trim();
  if (!label) { byId("label").focus(); return say(t("batch.nameless"), true); }
  batch ??= { person: form.dataset.person, label, images: {} };
  Object.assign(batch, { csv: Boolean(csv), priority: byId("priority").value });
  for (const item of items.filter((each) => !each.twin && !each.large)) {
    item.key ??= await keyOf(batch.label, item.digest);
    batch.images[item.key] = { mm: item.mm ?? batch.images[item.key]?.mm, case: item.caseId };
  }
  keep(batch);
  byId("resume").hidden = true;
  say(t("batch.sending", { n: some.length }));
  sending.add(some);
  byId("progress-title").focus();
}

/** @param {Item} item */
function post(item) {
  const body = new FormData(), { label, priority: own } = /** @type {Batch} */ (batch);
  const { external_id = "", roi = "", priority } = item.row ?? {};
  const told = { size_mm: item.mm, batch: label, external_id, roi, priority: priority || own };
  for (const [name, value] of Object.entries(told)) if (value) body.set(name, String(value));
  body.set("image", /** @type {File} */ (item.file), "image");
  return ask("POST", "/v1/cases", { body, headers: { "Idempotency-Key": /** @type {string} */ (item.key) } });
}

function told(item, phase, outcome) {
  Object.assign(item, { phase: phase === "ready" ? null : phase, problem: null });
  if (phase === "sent") accepted(item, outcome);
  if (phase === "refused") refused(item, outcome);
  refresh();
  if (batch && !sending.busy && ["sent", "refused"].includes(phase)) say(t("batch.all_sent", counted()), counted().refused > 0);
}

function accepted(item, receipt) {
  Object.assign(item, { caseId: receipt.case_id, duplicate: receipt.duplicate_of });
  const begun = /** @type {Batch} */ (batch);
  begun.images[item.key].case = item.caseId;
  keep(begun);
  follow();
}

function refused(item, problem) {
  item.problem = problem.code === CHANGED ? new Error(t("batch.changed")) : problem;
  if (problem.status !== 401) return;
  item.phase = null;
  sending.stop();
  say(problem.message, true);
}

// Looks at what became of the batch until all of it is read; not while nobody sees the page.
function follow() {
  if (watch === null && !document.hidden && unread()) watch = setTimeout(look, LOOK_EVERY_MS);
}

function unread() {
  return items.some((item) => item.caseId && !item.over);
}

async function look() {
  try {
    if (!document.hidden) await hear();
    watch = null;
  } catch (problem) {
    watch = setTimeout(look, 1000 * (problem.later ?? AWAY_S));
    if (problem.status === 401) say(problem.message, true);
  }
  refresh();
  if (!sending.busy && !unread()) say(t("batch.all_read", counted()));
  follow();
}

async function hear() {
  const lines = new Map(), { label } = /** @type {Batch} */ (batch);
  for (let cursor = ""; cursor !== null;) {
    const page = await ask("GET", `/v1/cases?${new URLSearchParams({ batch: label, limit: String(PAGE), cursor })}`);
    for (const line of page.cases) lines.set(line.case_id, line);
    cursor = page.next_cursor;
  }
  for (const item of items) item.line = lines.get(item.caseId) ?? item.line;
}

function counted() {
  const of = (test) => items.filter(test).length;
  const unchosen = batch ? Object.keys(batch.images).filter((key) => !items.some((item) => item.key === key)).length : 0;
  return {
    total: of((item) => !item.twin) + unchosen,
    sent: of((item) => item.caseId),
    refused: of((item) => item.state === "refused"),
    read: of((item) => item.state === "done"),
    failed: of((item) => FINAL.slice(1).includes(item.state)),
  };
}

function refresh() {
  for (const item of items) paint(item);
  const counts = counted();
  const sentences = checks(items, csv);
  byId("checks").hidden = sentences.length === 0;
  byId("checks").querySelector("ul").replaceChildren(...sentences.map((said) => Object.assign(document.createElement("li"), { textContent: said })));
  byId("counts").textContent = t(counts.failed ? "batch.counts_failed" : "batch.counts", counts);
  for (const [bar, value] of [["sent-bar", counts.sent], ["read-bar", counts.read + counts.failed]]) Object.assign(byId(bar), { max: Math.max(counts.total, 1), value });
  offer(counts);
}

function offer({ refused, sent }) {
  const ready = items.filter((item) => item.state === "ready").length;
  byId("table").hidden = items.length === 0;
  byId("progress").hidden = batch === null;
  byId("send").textContent = t("batch.send", { n: ready });
  byId("send").disabled = ready === 0;
  byId("send").hidden = ready === 0 && batch !== null;
  byId("stop").hidden = !sending.busy;
  byId("again").hidden = refused < 2 || sending.busy;
  byId("worklist").hidden = sent === 0;
  byId("anew").hidden = batch === null || sending.busy;
  byId("label").readOnly = byId("priority").disabled = batch !== null;
  if (batch) byId("worklist").href = `/worklist?${new URLSearchParams({ batch: batch.label })}`;
}
