// A batch's CSV: file,size_mm,external_id,roi,roi_space,priority. The server reads it.

import { ask } from "./session.js";

const FOUR_NUMBERS = /^\[?\s*(\d+(?:\.\d+)?)[\s,;]+(\d+(?:\.\d+)?)[\s,;]+(\d+(?:\.\d+)?)[\s,;]+(\d+(?:\.\d+)?)\s*\]?$/;

// The name of a file without its folder, equal for file systems with different Unicode forms.
export const normalizedName = (name) => name.normalize("NFC").replace(/^.*[\\/]/, "").trim().toLowerCase();

/**
 * @typedef {Record<string, string | undefined>} Row  the cells by column
 * @typedef {{rows: Map<string, Row>, repeated: string[], unknown: string[], refused: string[]}} Csv
 */

/**
 * `rows` are by normalizedName(file); the last of two rows of one file counts. Raises Problem for a table that cannot be trusted.
 *
 * @param {Blob} file
 * @returns {Promise<Csv>}
 */
export async function readCsv(file) {
  const body = new FormData();
  body.append("table", file, "table.csv");
  const table = await ask("POST", "/v1/case-tables", { body });
  /** @type {Csv} */
  const csv = { rows: new Map(), repeated: [], unknown: table.ignored_columns, refused: table.refused.map(({ line, message }) => `${line}: ${message}`) };
  for (const { cells } of table.rows) {
    if (!cells.file) continue;
    if (csv.rows.has(normalizedName(cells.file))) csv.repeated.push(cells.file);
    csv.rows.set(normalizedName(cells.file), { ...cells, roi: roiOf(cells.roi), roi_space: cells.roi_space?.toLowerCase(), priority: cells.priority?.toLowerCase() });
  }
  return csv;
}

// A box of four numbers as JSON; any other text unchanged, as the API accepts it.
function roiOf(roi) {
  const box = FOUR_NUMBERS.exec(roi ?? "");
  return box ? JSON.stringify({ box: box.slice(1).map(Number) }) : roi;
}
