// The batch page: choose many images, addItem their sizes, send a few at a time, and schedulePoll their cases.

import { ask, byId, say } from "./session.js";
import { UploadQueue } from "./upload-queue.js";
import { t } from "./words.js";
import { readCsv, normalizedName } from "./batch-csv.js";
import { digestOf, removeBatch, saveBatch, loadBatch, keyOf } from "./batch-storage.js";
import { checks, FINAL, Item, paint, place, formatSize } from "./batch-rows.js";
import { parseSize } from "./sizes.js";

/** @typedef {import("./batch-storage.js").Batch} Batch */

const POLL_INTERVAL_MS = 2000;
const RETRY_S = 10;
const PAGE_SIZE = 200;
const CSV = /\.csv$/i;
const CHANGED = "idempotency-key-reused";
const form = byId("batch");
const maxBytes = Number(form.dataset.maxBytes);
const uploads = new UploadQueue(post, onUploadState);

let batch = loadBatch(form.dataset.person);
/** @type {Item[]} */
let items = [];
/** @type {import("./batch-csv.js").Csv | null} */
let csv = null;
/** @type {ReturnType<typeof setTimeout> | null} */
let pollTimer = null;

start();
form.addEventListener("submit", (event) => { event.preventDefault(); send(items.filter((item) => item.state === "ready")); });
for (const input of [byId("files"), byId("csv")]) input.addEventListener("click", () => { input.value = ""; });
byId("files").addEventListener("change", () => add([...byId("files").files]));
byId("csv").addEventListener("change", () => add([], byId("csv").files[0]));
byId("give-size").addEventListener("click", fillSizes);
byId("one-size").addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); fillSizes(); } });
byId("stop").addEventListener("click", () => { uploads.stop(); say(t("batch.stopped")); refresh(); });
byId("again").addEventListener("click", () => send(items.filter((item) => item.state === "refused")));
byId("anew").addEventListener("click", () => { removeBatch(); location.reload(); });
document.addEventListener("visibilitychange", schedulePoll);
addEventListener("beforeunload", (event) => { if (uploads.busy) event.preventDefault(); });
document.addEventListener("dragover", (event) => { event.preventDefault(); byId("drop").classList.add("over"); });
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) byId("drop").classList.remove("over"); });
document.addEventListener("drop", (event) => { event.preventDefault(); byId("drop").classList.remove("over"); add([...event.dataTransfer?.files ?? []]); });

function start() {
  byId("label").value = batch?.label ?? defaultName();
  if (!batch) return refresh();
  byId("priority").value = batch.priority;
  const images = Object.entries(batch.images);
  for (const [key, { case: caseId }] of images) if (caseId) addItem(new Item({ key, caseId }));
  const [sent, total] = [items.length, images.length];
  const key = sent === total ? "batch.complete" : batch.csv ? "batch.resume_csv" : "batch.resume";
  byId("resume").textContent = t(key, { label: batch.label, sent, total });
  byId("resume").classList.toggle("warn", sent !== total);
  byId("resume").hidden = false;
  refresh();
  if (sent) pollTimer = setTimeout(poll);
}

// The default name of a batch: the local date and time, by which the person finds it later.
function defaultName() {
  const now = new Date();
  return new Date(now.getTime() - 60_000 * now.getTimezoneOffset()).toISOString().slice(0, 19).replace("T", " ");
}

async function add(files, table = files.find((file) => CSV.test(file.name))) {
  say(t("batch.reading"));
  const problem = table && await useCsv(table);
  for (const file of files) if (!CSV.test(file.name)) await addImage(file);
  say(problem ?? (csv && table ? t("batch.csv_used", { rows: csv.rows.size }) : ""), Boolean(problem));
  refresh();
}

// Why the CSV cannot be used; null if it can.
async function useCsv(file) {
  csv = null;
  try {
    csv = await readCsv(file);
  } catch (problem) {
    return problem.message;
  }
  for (const item of items) fromCsv(item);
  return null;
}

async function addImage(file) {
  const digest = await digestOf(file);
  const key = batch && await keyOf(batch.label, digest);
  const sentItem = key && items.find((item) => item.key === key && !item.file);
  if (sentItem) return Object.assign(sentItem, { file, digest });
  const item = new Item({ file, digest, key, maxBytes, original: items.find((item) => item.digest === digest) });
  const mm = key && batch?.images[key]?.mm;
  if (mm) item.size = t("common.mm", { value: mm });
  fromCsv(item);
  addItem(item);
}

function fromCsv(item) {
  item.row = (item.isEditable && item.file && csv?.rows.get(normalizedName(item.file.name))) || item.row;
  if (item.isEditable && item.row?.size_mm) item.size = formatSize(item.row.size_mm);
}

function addItem(item) {
  items.push(item);
  place(item, { retry: (item) => send([item]), remove, edited: refresh });
}

function remove(item) {
  items = items.filter((candidate) => candidate !== item);
  for (const copy of items.filter((candidate) => candidate.original === item)) {
    copy.original = items.find((candidate) => candidate !== copy && !candidate.original && candidate.digest === copy.digest) ?? null;
  }
  if (batch) { delete batch.images[item.key]; saveBatch(batch); }
  item.place.remove();
  byId("table").querySelector("input:enabled")?.focus();
  refresh();
}

function fillSizes() {
  const mm = parseSize(byId("one-size").value);
  if (mm === null) { byId("one-size").focus(); return say(`${t("batch.one_size")}: ${t("batch.state.unreadable")}`, true); }
  byId("one-size").value = formatSize(byId("one-size").value);
  for (const item of items) if (item.state === "unsized") item.size = byId("one-size").value;
  say("");
  refresh();
}

async function send(selection) {
  const label = byId("label").value.trim();
  if (!label) { byId("label").focus(); return say(t("batch.name_missing"), true); }
  batch ??= { person: form.dataset.person, label, images: {} };
  Object.assign(batch, { csv: Boolean(csv), priority: byId("priority").value });
  for (const item of items.filter((item) => !item.original && !item.isTooLarge)) {
    item.key ??= await keyOf(batch.label, item.digest);
    batch.images[item.key] = { mm: item.mm ?? batch.images[item.key]?.mm, case: item.caseId };
  }
  saveBatch(batch);
  byId("resume").hidden = true;
  say(t("batch.sending", { n: selection.length }));
  uploads.add(selection);
  byId("progress-title").focus();
}

/** @param {Item} item */
function post(item) {
  const body = new FormData(), { label, priority: commonPriority } = /** @type {Batch} */ (batch);
  const { external_id = "", roi = "", roi_space = "", priority } = item.row ?? {};
  const fields = { size_mm: item.mm, batch: label, external_id, roi, roi_space, priority: priority || commonPriority };
  for (const [name, value] of Object.entries(fields)) if (value) body.set(name, String(value));
  body.set("image", /** @type {File} */ (item.file), "image");
  return ask("POST", "/v1/cases", { body, headers: { "Idempotency-Key": /** @type {string} */ (item.key) } });
}

function onUploadState(item, phase, outcome) {
  Object.assign(item, { phase: phase === "ready" ? null : phase, problem: null });
  if (phase === "sent") accepted(item, outcome);
  if (phase === "refused") refused(item, outcome);
  refresh();
  if (batch && !uploads.busy && ["sent", "refused"].includes(phase)) say(t("batch.all_sent", countStates()), countStates().refused > 0);
}

function accepted(item, receipt) {
  Object.assign(item, { caseId: receipt.case_id, duplicate: receipt.duplicate_of });
  const currentBatch = /** @type {Batch} */ (batch);
  currentBatch.images[item.key].case = item.caseId;
  saveBatch(currentBatch);
  schedulePoll();
}

function refused(item, problem) {
  item.problem = problem.code === CHANGED ? new Error(t("batch.changed")) : problem;
  if (problem.status !== 401) return;
  item.phase = null;
  uploads.stop();
  say(problem.message, true);
}

// Polls the cases of the batch until all are read; not while the page is hidden.
function schedulePoll() {
  if (pollTimer === null && !document.hidden && hasUnread()) pollTimer = setTimeout(poll, POLL_INTERVAL_MS);
}

function hasUnread() {
  return items.some((item) => item.caseId && !item.isFinal);
}

async function poll() {
  try {
    if (!document.hidden) await fetchLines();
    pollTimer = null;
  } catch (problem) {
    pollTimer = setTimeout(poll, 1000 * (problem.later ?? RETRY_S));
    if (problem.status === 401) say(problem.message, true);
  }
  refresh();
  if (!uploads.busy && !hasUnread()) say(t("batch.all_read", countStates()));
  schedulePoll();
}

async function fetchLines() {
  const lines = new Map(), { label } = /** @type {Batch} */ (batch);
  for (let cursor = ""; cursor !== null;) {
    const page = await ask("GET", `/v1/cases?${new URLSearchParams({ batch: label, limit: String(PAGE_SIZE), cursor })}`);
    for (const line of page.cases) lines.set(line.case_id, line);
    cursor = page.next_cursor;
  }
  for (const item of items) item.line = lines.get(item.caseId) ?? item.line;
}

function countStates() {
  const count = (test) => items.filter(test).length;
  const notChosenAgain = batch ? Object.keys(batch.images).filter((key) => !items.some((item) => item.key === key)).length : 0;
  return {
    total: count((item) => !item.original) + notChosenAgain,
    sent: count((item) => item.caseId),
    refused: count((item) => item.state === "refused"),
    read: count((item) => item.state === "done"),
    failed: count((item) => FINAL.slice(1).includes(item.state)),
  };
}

function refresh() {
  for (const item of items) paint(item);
  const counts = countStates();
  const sentences = checks(items, csv);
  byId("checks").hidden = sentences.length === 0;
  byId("checks").querySelector("ul").replaceChildren(...sentences.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  byId("counts").textContent = t(counts.failed ? "batch.counts_failed" : "batch.counts", counts);
  for (const [bar, value] of [["sent-bar", counts.sent], ["read-bar", counts.read + counts.failed]]) Object.assign(byId(bar), { max: Math.max(counts.total, 1), value });
  showButtons(counts);
}

function showButtons({ refused, sent }) {
  const ready = items.filter((item) => item.state === "ready").length;
  byId("table").hidden = items.length === 0;
  byId("progress").hidden = batch === null;
  byId("send").textContent = t("batch.send", { n: ready });
  byId("send").disabled = ready === 0;
  byId("send").hidden = ready === 0 && batch !== null;
  byId("stop").hidden = !uploads.busy;
  byId("again").hidden = refused < 2 || uploads.busy;
  byId("worklist").hidden = sent === 0;
  byId("anew").hidden = batch === null || uploads.busy;
  byId("label").readOnly = byId("priority").disabled = batch !== null;
  if (batch) byId("worklist").href = `/worklist?${new URLSearchParams({ batch: batch.label })}`;
}
