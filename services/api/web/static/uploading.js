// Uploads labelled images with their manifest. Images are hashed here, and only new ones are sent, in batches.

import { refresh } from "./console.js";
import { sha256 } from "./hashing.js";
import { quote, rowsOf } from "./csv.js";
import { ask, byId, say } from "./session.js";
import { t } from "./words.js";

const MAX_ROWS = 200, MAX_BYTES = 8 * 1024 * 1024, MAX_HASHES = 5000, MAX_ATTEMPTS = 5, FIRST_WAIT_S = 2;
const dataset = byId("holds").dataset.dataset, route = `/v1/datasets/${dataset}`;
const baseName = (path) => path.split(/[\\/]/).pop();
/** @typedef {{line: number, cells: Record<string, string>, file?: File, mask?: File, sha?: string | null, maskSha?: string | null, known?: boolean}} Row */

/** @type {AbortController | null} */
let stopper = null;

byId("upload").addEventListener("submit", (event) => { event.preventDefault(); begin([...byId("files").files]); });
byId("stop").addEventListener("click", () => stopper?.abort());
addEventListener("beforeunload", (event) => { if (stopper) event.preventDefault(); });

async function begin(files) {
  stopper = new AbortController();
  const button = byId("upload").querySelector("[type=submit]"), counts = { added: 0, known: 0, refused: 0 };
  button.disabled = true;
  byId("stop").hidden = byId("bar").hidden = false;
  byId("refusals").hidden = true;
  byId("refusals").querySelector("tbody").replaceChildren();
  say("");
  try {
    await upload(files, counts);
    showProgress(t("datasets.upload.done", counts), 1);
  } catch (problem) {
    showProgress(`${problem.name === "AbortError" ? t("datasets.upload.stopped") : problem.message} ${t("datasets.upload.again", counts)}`);
  } finally {
    stopper = null;
    button.disabled = false;
    byId("stop").hidden = true;
    await refresh();
  }
}

async function upload(files, counts) {
  /** @type {{header: string[], rows: Row[]}} */
  const { header, rows } = await manifest(files);
  const filesByName = new Map(files.map((file) => [file.name, file]));
  for (const row of rows) {
    row.file = filesByName.get(baseName(row.cells.image ?? ""));
    row.mask = filesByName.get(baseName(row.cells.mask ?? ""));
  }
  await compare(rows);
  let done = 0;
  for (const batch of batches(rows)) {
    const report = await sendWithRetry(header, batch);
    for (const outcome of Object.keys(counts)) counts[outcome] += report[outcome];
    report.rows.forEach((result, index) => result.outcome === "refused" && refuse(batch[index], result.message));
    done += batch.length;
    showProgress(t("datasets.upload.sent", { done, all: rows.length }), done / rows.length);
  }
}

async function manifest(files) {
  const tables = files.filter((file) => file.name.toLowerCase().endsWith(".csv"));
  const table = tables.find((file) => file.name === "manifest.csv") ?? (tables.length === 1 && tables[0]);
  if (!table) throw new Error(t("datasets.upload.no_manifest"));
  return rowsOf(await table.text());
}

// Marks the rows whose image is in the data set: the server compares them by hash, and their files are not sent.
async function compare(rows) {
  const imageRows = rows.filter((row) => row.file);
  for (const [at, row] of imageRows.entries()) {
    stopper?.signal.throwIfAborted();
    if (!(row.sha = await sha256(row.file))) return;
    showProgress(t("datasets.upload.compared", { done: at + 1, all: imageRows.length }), (at + 1) / imageRows.length);
  }
  for (let at = 0; at < imageRows.length; at += MAX_HASHES) {
    const chunk = imageRows.slice(at, at + MAX_HASHES), { known } = await send(`${route}/known`, { json: chunk.map((row) => row.sha) });
    for (const row of chunk) row.known = row.sha in known;
  }
  for (const row of imageRows.filter((row) => row.known && row.mask)) row.maskSha = await sha256(row.mask);
}

function* batches(rows) {
  let batch = [], bytes = 0;
  for (const row of rows) {
    const size = row.known ? 0 : (row.file?.size ?? 0) + (row.mask?.size ?? 0);
    if (batch.length && (batch.length === MAX_ROWS || bytes + size > MAX_BYTES)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(row);
    bytes += size;
  }
  if (batch.length) yield batch;
}

// Sends a batch: in halves if it is too large, again if the server asks to wait or the connection breaks.
async function sendWithRetry(header, batch) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await send(`${route}/batches`, { body: form(header, batch) });
    } catch (problem) {
      if (problem.status === 413 && batch.length > 1) return halves(header, batch);
      if (![0, 429, 503].includes(problem.status) || attempt === MAX_ATTEMPTS) throw problem;
      showProgress(problem.message);
      await new Promise((settle) => setTimeout(settle, 1000 * (problem.later ?? FIRST_WAIT_S * attempt)));
      stopper?.signal.throwIfAborted();
    }
  }
}

async function halves(header, batch) {
  const middle = Math.ceil(batch.length / 2);
  const first = await sendWithRetry(header, batch.slice(0, middle)), second = await sendWithRetry(header, batch.slice(middle));
  const sums = Object.fromEntries(["added", "known", "refused"].map((key) => [key, first[key] + second[key]]));
  return { ...sums, rows: [...first.rows, ...second.rows] };
}

const send = (path, options) => ask("POST", path, { ...options, signal: stopper?.signal });

function form(header, batch) {
  const body = new FormData(), sent = new Map();
  for (const row of batch.filter((row) => !row.known)) for (const file of [row.file, row.mask]) if (file) sent.set(file.name, file);
  const lines = batch.map((row) => header.map((column) => quote(cell(row, column))).join(","));
  body.append("manifest", new Blob([[header.map(quote).join(","), ...lines].join("\n")], { type: "text/csv" }), "manifest.csv");
  for (const file of sent.values()) body.append("files", file, file.name);
  return body;
}

function cell(row, column) {
  if (column === "image" && row.file) return row.known ? row.sha : row.file.name;
  if (column === "mask" && row.mask) return row.known ? row.maskSha : row.mask.name;
  return row.cells[column] ?? "";
}

function refuse(row, why) {
  const line = Object.assign(document.createElement("tr"), { role: "row" });
  const columns = [...byId("refusals").querySelectorAll("thead th")].map((heading) => heading.textContent);
  for (const [at, text] of [row.line, row.cells.image ?? "", why].entries()) {
    const cell = Object.assign(document.createElement("td"), { role: "cell", textContent: text });
    cell.dataset.label = columns[at];
    line.append(cell);
  }
  byId("refusals").querySelector("tbody").append(line);
  byId("refusals").hidden = false;
}

function showProgress(text, share) {
  byId("upload-status").textContent = text;
  if (share !== undefined) byId("bar").value = share;
}
