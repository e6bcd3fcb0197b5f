// Many labelled images with their manifest: hashed here, and only what the data set has not is sent, batch by batch.

import { refresh } from "./console.js";
import { sha256 } from "./hashing.js";
import { quoted, rowsOf } from "./csv.js";
import { ask, byId, say } from "./session.js";
import { t } from "./words.js";

const MOST_ROWS = 200, MOST_BYTES = 8 * 1024 * 1024, MOST_HASHES = 5000, MOST_TRIES = 5, FIRST_WAIT_S = 2;
const dataset = byId("holds").dataset.dataset, route = `/v1/datasets/${dataset}`;
const baseName = (path) => path.split(/[\\/]/).pop();
/** @typedef {{line: number, cells: Record<string, string>, file?: File, mask?: File, sha?: string | null, maskSha?: string | null, known?: boolean}} Row */

/** @type {AbortController | null} */
let stopping = null;

byId("upload").addEventListener("submit", (event) => { event.preventDefault(); begin([...byId("files").files]); });
byId("stop").addEventListener("click", () => stopping?.abort());
addEventListener("beforeunload", (event) => { if (stopping) event.preventDefault(); });

async function begin(files) {
  stopping = new AbortController();
  const button = byId("upload").querySelector("[type=submit]"), counts = { added: 0, known: 0, refused: 0 };
  button.disabled = true;
  byId("stop").hidden = byId("bar").hidden = false;
  byId("refusals").hidden = true;
  byId("refusals").querySelector("tbody").replaceChildren();
  say("");
  try {
    await upload(files, counts);
    tell(t("datasets.upload.done", counts), 1);
  } catch (problem) {
    tell(`${problem.name === "AbortError" ? t("datasets.upload.stopped") : problem.message} ${t("datasets.upload.again", counts)}`);
  } finally {
    stopping = null;
    button.disabled = false;
    byId("stop").hidden = true;
    await refresh();
  }
}

async function upload(files, counts) {
  /** @type {{header: string[], rows: Row[]}} */
  const { header, rows } = await manifest(files);
  const named = new Map(files.map((file) => [file.name, file]));
  for (const row of rows) [row.file, row.mask] = [named.get(baseName(row.cells.image ?? "")), named.get(baseName(row.cells.mask ?? ""))];
  await compare(rows);
  let done = 0;
  for (const batch of batches(rows)) {
    const report = await patiently(header, batch);
    for (const outcome of Object.keys(counts)) counts[outcome] += report[outcome];
    report.rows.forEach((each, at) => each.outcome === "refused" && refuse(batch[at], each.message));
    done += batch.length;
    tell(t("datasets.upload.sent", { done, all: rows.length }), done / rows.length);
  }
}

async function manifest(files) {
  const tables = files.filter((file) => file.name.toLowerCase().endsWith(".csv"));
  const found = tables.find((file) => file.name === "manifest.csv") ?? (tables.length === 1 && tables[0]);
  if (!found) throw new Error(t("datasets.upload.no_manifest"));
  return rowsOf(await found.text());
}

// Marks the rows whose image the data set has: those are compared by hash, and their files stay here.
async function compare(rows) {
  const come = rows.filter((row) => row.file);
  for (const [at, row] of come.entries()) {
    stopping?.signal.throwIfAborted();
    if (!(row.sha = await sha256(row.file))) return;
    tell(t("datasets.upload.compared", { done: at + 1, all: come.length }), (at + 1) / come.length);
  }
  for (let at = 0; at < come.length; at += MOST_HASHES) {
    const asked = come.slice(at, at + MOST_HASHES), { known } = await send(`${route}/known`, { json: asked.map((row) => row.sha) });
    for (const row of asked) row.known = row.sha in known;
  }
  for (const row of come.filter((each) => each.known && each.mask)) row.maskSha = await sha256(row.mask);
}

function* batches(rows) {
  let batch = [], bytes = 0;
  for (const row of rows) {
    const size = row.known ? 0 : (row.file?.size ?? 0) + (row.mask?.size ?? 0);
    if (batch.length && (batch.length === MOST_ROWS || bytes + size > MOST_BYTES)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(row);
    bytes += size;
  }
  if (batch.length) yield batch;
}

// A batch that is too much for this SERA goes in halves; one that meets a pause or a broken line goes again.
async function patiently(header, batch) {
  for (let tried = 1; ; tried += 1) {
    try {
      return await send(`${route}/batches`, { body: form(header, batch) });
    } catch (problem) {
      if (problem.status === 413 && batch.length > 1) return halves(header, batch);
      if (![0, 429, 503].includes(problem.status) || tried === MOST_TRIES) throw problem;
      tell(problem.message);
      await new Promise((settle) => setTimeout(settle, 1000 * (problem.later ?? FIRST_WAIT_S * tried)));
      stopping?.signal.throwIfAborted();
    }
  }
}

async function halves(header, batch) {
  const middle = Math.ceil(batch.length / 2);
  const one = await patiently(header, batch.slice(0, middle)), other = await patiently(header, batch.slice(middle));
  const sums = Object.fromEntries(["added", "known", "refused"].map((key) => [key, one[key] + other[key]]));
  return { ...sums, rows: [...one.rows, ...other.rows] };
}

const send = (path, what) => ask("POST", path, { ...what, signal: stopping?.signal });

function form(header, batch) {
  const body = new FormData(), sent = new Map();
  for (const row of batch.filter((each) => !each.known)) for (const file of [row.file, row.mask]) if (file) sent.set(file.name, file);
  const lines = batch.map((row) => header.map((column) => quoted(cell(row, column))).join(","));
  body.append("manifest", new Blob([[header.map(quoted).join(","), ...lines].join("\n")], { type: "text/csv" }), "manifest.csv");
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
  const columns = [...byId("refusals").querySelectorAll("thead th")].map((each) => each.textContent);
  for (const [at, text] of [row.line, row.cells.image ?? "", why].entries()) {
    const cell = Object.assign(document.createElement("td"), { role: "cell", textContent: text });
    cell.dataset.label = columns[at];
    line.append(cell);
  }
  byId("refusals").querySelector("tbody").append(line);
  byId("refusals").hidden = false;
}

function tell(text, share) {
  byId("told").textContent = text;
  if (share !== undefined) byId("bar").value = share;
}
