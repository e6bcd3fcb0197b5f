// A batch's CSV: file,size_mm,external_id,roi,priority.

import { rowsOf } from "./csv.js";

export const COLUMNS = ["file", "size_mm", "external_id", "roi", "priority"];
const FOUR = /^\[?\s*(\d+(?:\.\d+)?)[\s,;]+(\d+(?:\.\d+)?)[\s,;]+(\d+(?:\.\d+)?)[\s,;]+(\d+(?:\.\d+)?)\s*\]?$/;

// How a file is called, whichever system named it.
export const called = (name) => name.normalize("NFC").replace(/^.*[\\/]/, "").trim().toLowerCase();

/**
 * @typedef {Record<string, string | undefined>} Row  the cells by column
 * @typedef {{rows: Map<string, Row>, repeated: string[], unknown: string[], headless: boolean}} Csv
 */

/**
 * `rows` are by called(file); the last of two rows of one file counts.
 *
 * @param {Blob} file
 * @returns {Promise<Csv>}
 */
export async function readCsv(file) {
  const text = decoded(await file.arrayBuffer());
  const { header, rows } = rowsOf(text, parting(text));
  const columns = header.map((name) => name.toLowerCase());
  /** @type {Csv} */
  const told = { rows: new Map(), repeated: [], unknown: columns.filter((name) => name && !COLUMNS.includes(name)), headless: !columns.includes("file") };
  for (const { cells } of told.headless ? [] : rows) {
    const row = Object.fromEntries(Object.entries(cells).map(([name, cell]) => [name.toLowerCase(), cell]));
    if (!row.file) continue;
    if (told.rows.has(called(row.file))) told.repeated.push(row.file);
    told.rows.set(called(row.file), { ...row, roi: outline(row.roi), priority: row.priority?.toLowerCase() });
  }
  return told;
}

// A Korean Excel writes CP949 unless told otherwise.
function decoded(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("euc-kr").decode(bytes);
  }
}

// Commas or, where the first line has more of them, semicolons or tabs.
function parting(text) {
  const often = (sign) => text.split("\n", 1)[0].split(sign).length;
  return [",", ";", "\t"].sort((one, other) => often(other) - often(one))[0];
}

// A box as four numbers, or what the API takes itself.
function outline(roi) {
  const box = FOUR.exec(roi ?? "");
  return box ? JSON.stringify({ box: box.slice(1).map(Number) }) : roi;
}
