// A batch's CSV: file,size_mm,external_id,roi,roi_space,priority.

import { rowsOf } from "./csv.js";

export const COLUMNS = ["file", "size_mm", "external_id", "roi", "roi_space", "priority"];
const FOUR_NUMBERS = /^\[?\s*(\d+(?:\.\d+)?)[\s,;]+(\d+(?:\.\d+)?)[\s,;]+(\d+(?:\.\d+)?)[\s,;]+(\d+(?:\.\d+)?)\s*\]?$/;

// The name of a file without its folder, equal for file systems with different Unicode forms.
export const normalizedName = (name) => name.normalize("NFC").replace(/^.*[\\/]/, "").trim().toLowerCase();

/**
 * @typedef {Record<string, string | undefined>} Row  the cells by column
 * @typedef {{rows: Map<string, Row>, repeated: string[], unknown: string[], lacksFileColumn: boolean}} Csv
 */

/**
 * `rows` are by normalizedName(file); the last of two rows of one file counts.
 *
 * @param {Blob} file
 * @returns {Promise<Csv>}
 */
export async function readCsv(file) {
  const text = decode(await file.arrayBuffer());
  const { header, rows } = rowsOf(text, separatorOf(text));
  const columns = header.map((name) => name.toLowerCase());
  /** @type {Csv} */
  const csv = { rows: new Map(), repeated: [], unknown: columns.filter((name) => name && !COLUMNS.includes(name)), lacksFileColumn: !columns.includes("file") };
  for (const { cells } of csv.lacksFileColumn ? [] : rows) {
    const row = Object.fromEntries(Object.entries(cells).map(([name, cell]) => [name.toLowerCase(), cell]));
    if (!row.file) continue;
    if (csv.rows.has(normalizedName(row.file))) csv.repeated.push(row.file);
    csv.rows.set(normalizedName(row.file), { ...row, roi: roiOf(row.roi), roi_space: row.roi_space?.toLowerCase(), priority: row.priority?.toLowerCase() });
  }
  return csv;
}

// A Korean Excel writes CP949 by default.
function decode(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("euc-kr").decode(bytes);
  }
}

// The separator of which the first line has the most: comma, semicolon or tab.
function separatorOf(text) {
  const count = (separator) => text.split("\n", 1)[0].split(separator).length;
  return [",", ";", "\t"].sort((first, second) => count(second) - count(first))[0];
}

// A box of four numbers as JSON; any other text unchanged, as the API accepts it.
function roiOf(roi) {
  const box = FOUR_NUMBERS.exec(roi ?? "");
  return box ? JSON.stringify({ box: box.slice(1).map(Number) }) : roi;
}
