// Uploads labelled images with their manifest, or previews the upload. The server reads the manifest; images are hashed
// here, and only new ones are sent, in batches.

import { refresh } from "./console.js";
import { sha256 } from "./hashing.js";
import { quote } from "./csv.js";
import { ask, byId, say } from "./session.js";
import { sentence, t } from "./words.js";

const MAX_ROWS = 200, MAX_BYTES = 8 * 1024 * 1024, MAX_HASHES = 5000, MAX_ATTEMPTS = 5, FIRST_WAIT_S = 2, MAX_THUMBNAILS = 12;
const COLUMNS = ["image", "malignant", "mask", "patient", "site", "size_mm", "split", "tirads"];
const DELIMITERS = { ",": "comma", ";": "semicolon", "\t": "tab", "|": "bar" };
const LABELS = new Map([[true, "1"], [false, "0"], [null, ""]]);
const dataset = byId("holds").dataset.dataset, route = `/v1/datasets/${dataset}`;
const baseName = (path) => path.split(/[\\/]/).pop();
/** @typedef {{line: number, cells: Record<string, string>, file?: File, mask?: File, sha?: string | null, maskSha?: string | null, known?: boolean}} Row */

/** @type {AbortController | null} */
let stopper = null;
/** @type {Record<string, Map<string, {lines: number[], images: string[], why: string}>>} */
let reasons = { refusals: new Map(), remarks: new Map() };

byId("upload").addEventListener("submit", (event) => { event.preventDefault(); begin([...byId("files").files], event.submitter?.id === "try"); });
byId("stop").addEventListener("click", () => stopper?.abort());
addEventListener("beforeunload", (event) => { if (stopper) event.preventDefault(); });

async function begin(files, dryRun) {
  stopper = new AbortController();
  const buttons = [...byId("upload").querySelectorAll("[type=submit]")], counts = { added: 0, known: 0, refused: 0 };
  for (const button of buttons) button.disabled = true;
  byId("stop").hidden = byId("bar").hidden = false;
  reasons = { refusals: new Map(), remarks: new Map() };
  for (const id of ["refusals", "remarks", "table-facts", "thumbnails"]) byId(id).hidden = true;
  byId("thumbnails").replaceChildren();
  say("");
  try {
    await upload(files, counts, dryRun);
    showProgress(t(dryRun ? "datasets.upload.tried" : "datasets.upload.done", counts), 1);
  } catch (problem) {
    const reason = problem.name === "AbortError" ? t("datasets.upload.stopped") : problem.message;
    showProgress(dryRun ? reason : `${reason} ${t("datasets.upload.again", counts)}`);
  } finally {
    stopper = null;
    for (const button of buttons) button.disabled = false;
    byId("stop").hidden = true;
    if (!dryRun) await refresh();
  }
}

async function upload(files, counts, dryRun) {
  const table = await readManifest(files);
  showTable(table);
  counts.refused = table.refused.length;
  for (const { line, image, message } of table.refused) list("refusals", line, image, message);
  const rows = matched(table.rows.map(rowOf), files);
  await compare(rows);
  let done = table.refused.length;
  const all = rows.length + done;
  for (const batch of batches(byImage(rows))) {
    const report = await sendWithRetry(batch, dryRun);
    for (const outcome of Object.keys(counts)) counts[outcome] += report[outcome];
    report.rows.forEach((result, index) => listRow(result, batch[index].cells.image));
    showThumbnails(batch, report);
    done += batch.length;
    showProgress(t("datasets.upload.sent", { done, all }), done / all);
  }
}

// What the server reads in the manifest; it keeps nothing.
async function readManifest(files) {
  const tables = files.filter((file) => file.name.toLowerCase().endsWith(".csv"));
  const table = tables.find((file) => file.name === "manifest.csv") ?? (tables.length === 1 && tables[0]);
  if (!table) throw new Error(t("datasets.upload.no_manifest"));
  const body = new FormData();
  body.append("manifest", table, "manifest.csv");
  return send("/v1/manifests", { body });
}

/** @returns {Row} */
function rowOf({ line, image, mask, malignant, fields }) {
  return { line, cells: { image, mask: mask ?? "", malignant: LABELS.get(malignant) ?? "", ...fields } };
}

// Gives each row its files: by the name as it is written, else in the composed Unicode form (macOS decomposes names).
function matched(rows, files) {
  const byName = new Map(files.map((file) => [file.name.normalize("NFC"), file]));
  for (const file of files) byName.set(file.name, file);
  const find = (name) => byName.get(name) ?? byName.get(name.normalize("NFC"));
  for (const row of rows) {
    row.file = find(baseName(row.cells.image));
    row.mask = find(baseName(row.cells.mask));
  }
  return rows;
}

// Rows of one image follow each other, so that they are compared with each other in one batch.
function byImage(rows) {
  const groups = new Map();
  for (const row of rows) {
    const key = row.sha ?? row.cells.image;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].flat();
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
    const full = batch.length >= MAX_ROWS || bytes + size > MAX_BYTES;
    if (batch.length && full && (row.sha ?? row.cells.image) !== (batch.at(-1).sha ?? batch.at(-1).cells.image)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(row);
    bytes += size;
  }
  if (batch.length) yield batch;
}

// Sends a batch: in halves if it is too large, again if the server asks to wait or the connection breaks.
async function sendWithRetry(batch, dryRun) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return withOwnLines(batch, await send(`${route}/batches${dryRun ? "?dry_run=true" : ""}`, { body: form(batch) }));
    } catch (problem) {
      if (problem.status === 413 && batch.length > 1) return halves(batch, dryRun);
      if (![0, 429, 503].includes(problem.status) || attempt === MAX_ATTEMPTS) throw problem;
      showProgress(problem.message);
      await new Promise((settle) => setTimeout(settle, 1000 * (problem.later ?? FIRST_WAIT_S * attempt)));
      stopper?.signal.throwIfAborted();
    }
  }
}

async function halves(batch, dryRun) {
  const middle = Math.ceil(batch.length / 2);
  const first = await sendWithRetry(batch.slice(0, middle), dryRun), second = await sendWithRetry(batch.slice(middle), dryRun);
  const sums = Object.fromEntries(["added", "known", "refused"].map((key) => [key, first[key] + second[key]]));
  return { ...sums, rows: [...first.rows, ...second.rows], thumbnails: [...(first.thumbnails ?? []), ...(second.thumbnails ?? [])] };
}

// A request numbers its lines from 2: its report gets the lines of the chosen manifest, before it is joined with others.
function withOwnLines(batch, report) {
  const lines = new Map(report.rows.map((result, index) => [result.line, batch[index].line]));
  const own = (item) => ({ ...item, line: lines.get(item.line) });
  return { ...report, rows: report.rows.map(own), thumbnails: (report.thumbnails ?? []).map(own) };
}

const send = (path, options) => ask("POST", path, { ...options, signal: stopper?.signal });

function form(batch) {
  const body = new FormData(), sent = new Map();
  for (const row of batch.filter((row) => !row.known)) for (const file of [row.file, row.mask]) if (file) sent.set(file.name, file);
  const lines = batch.map((row) => COLUMNS.map((column) => quote(cell(row, column))).join(","));
  body.append("manifest", new Blob([[COLUMNS.join(","), ...lines].join("\n")], { type: "text/csv" }), "manifest.csv");
  for (const file of sent.values()) body.append("files", file, file.name);
  return body;
}

function cell(row, column) {
  if (column === "image" && row.file) return row.known ? row.sha : row.file.name;
  if (column === "mask" && row.mask) return row.known ? row.maskSha : row.mask.name;
  return row.cells[column] ?? "";
}

function listRow({ line, outcome, message, warnings }, image) {
  if (outcome === "refused") list("refusals", line, image, message);
  for (const warning of warnings) list("remarks", line, image, sentence(warning));
}

// Lines with the same sentence are one row of a table.
function list(table, line, image, why) {
  const key = image ? why.replaceAll(image, "") : why, groups = reasons[table];
  /** @type {{lines: number[], images: string[], why: string}} */
  const group = groups.get(key) ?? { lines: [], images: [], why };
  group.lines.push(line);
  group.images.push(image);
  groups.set(key, group);
  const columns = [...byId(table).querySelectorAll("thead th")].map((heading) => heading.textContent);
  byId(table).querySelector("tbody").replaceChildren(...[...groups.values()].map((group) => reasonRow(group, columns)));
  byId(table).hidden = false;
}

function reasonRow({ lines, images, why }, columns) {
  const row = Object.assign(document.createElement("tr"), { role: "row" });
  const more = lines.length > 1 ? ` ${t("datasets.upload.rows", { n: lines.length })}` : "";
  for (const [at, text] of [`${lineRanges(lines)}${more}`, images[0] ?? "", why].entries()) {
    const cell = Object.assign(document.createElement("td"), { role: "cell", textContent: text });
    cell.dataset.label = columns[at];
    row.append(cell);
  }
  return row;
}

// "2–4, 9" for the lines 2, 3, 4 and 9.
function lineRanges(lines) {
  const ranges = [];
  for (const line of [...lines].sort((first, second) => first - second)) {
    const last = ranges.at(-1);
    if (last && line === last[1] + 1) last[1] = line;
    else ranges.push([line, line]);
  }
  const texts = ranges.map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`));
  return texts.length > 6 ? `${texts.slice(0, 6).join(", ")} …` : texts.join(", ");
}

// How the table was read, and what it holds.
function showTable(table) {
  const parts = [
    t("datasets.upload.read_as", { encoding: table.sample ? `${table.encoding} (${table.sample})` : table.encoding, delimiter: t(`datasets.delimiter.${DELIMITERS[table.delimiter]}`), rows: table.rows.length + table.refused.length, lines: table.lines }),
    t("datasets.upload.classes", { malignant: table.malignant, benign: table.benign, unlabelled: table.without_label }),
    t("datasets.upload.people", { patients: table.patients, unknown: table.without_patient }),
    ...(Object.keys(table.sites).length ? [t("datasets.upload.sites", { sites: Object.entries(table.sites).map(([site, n]) => `${site} (${n})`).join(", ") })] : []),
    ...(Object.keys(table.joined_sites).length ? [t("datasets.upload.joined_sites", { sites: Object.entries(table.joined_sites).map((spellings) => spellings.flat().join(" = ")).join("; ") })] : []),
    ...(table.sizes ? [t("datasets.upload.sizes", { n: table.with_size, smallest: table.sizes.smallest_mm, largest: table.sizes.largest_mm })] : []),
    ...(table.ignored_columns.length ? [t("datasets.upload.ignored_columns", { columns: table.ignored_columns.join(", ") })] : []),
  ];
  byId("table-facts").replaceChildren(...parts.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  byId("table-facts").hidden = false;
}

// The first images of a preview, as training would read them.
function showThumbnails(batch, report) {
  const rows = new Map(batch.map((row) => [row.line, row]));
  for (const { line, base64 } of report.thumbnails) {
    if (byId("thumbnails").childElementCount === MAX_THUMBNAILS) return;
    const row = rows.get(line), figure = document.createElement("figure");
    const caption = Object.assign(document.createElement("figcaption"), { textContent: t("datasets.upload.thumbnail", { line: row.line, label: t(`common.outcome.${row.cells.malignant === "1" ? "malignant" : "benign"}`) }) });
    figure.append(Object.assign(new Image(), { src: `data:image/png;base64,${base64}`, alt: row.cells.image }), caption);
    byId("thumbnails").append(figure);
    byId("thumbnails").hidden = false;
  }
}

function showProgress(text, share) {
  byId("upload-status").textContent = text;
  if (share !== undefined) byId("bar").value = share;
}
