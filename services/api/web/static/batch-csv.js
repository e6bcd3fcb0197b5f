// A batch's CSV: file,size_mm,external_id,roi,priority.

export const COLUMNS = ["file", "size_mm", "external_id", "roi", "priority"];
const FOUR = /^\[?\s*(\d+(?:\.\d+)?)[\s,;]+(\d+(?:\.\d+)?)[\s,;]+(\d+(?:\.\d+)?)[\s,;]+(\d+(?:\.\d+)?)\s*\]?$/;

// How a file is called, whichever system named it.
export const called = (name) => name.normalize("NFC").replace(/^.*[\\/]/, "").trim().toLowerCase();

// {rows: Map of called(file) to its row, repeated, unknown, headless}; the last of two rows of one file counts.
export async function readCsv(file) {
  const [head = [], ...lines] = cells(decoded(await file.arrayBuffer()));
  const columns = head.map((name) => name.trim().toLowerCase());
  const told = { rows: new Map(), repeated: [], unknown: columns.filter((name) => name && !COLUMNS.includes(name)), headless: !columns.includes("file") };
  for (const line of told.headless ? [] : lines) {
    const row = Object.fromEntries(columns.map((name, at) => [name, (line[at] ?? "").trim()]));
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

// Lines of cells (RFC 4180), parted by commas or, where the first line has more of them, semicolons or tabs.
function cells(text) {
  const first = text.split("\n", 1)[0];
  const [parting] = [",", ";", "\t"].sort((one, other) => first.split(other).length - first.split(one).length);
  const lines = [[]];
  let cell = "", quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at];
    if (quoted && letter === '"' && text[at + 1] === '"') { cell += '"'; at += 1; }
    else if (letter === '"' && (quoted || cell.trim() === "")) { quoted = !quoted; if (quoted) cell = ""; }
    else if (quoted || !(letter === parting || letter === "\n")) cell += letter;
    else { lines.at(-1).push(cell); cell = ""; if (letter === "\n") lines.push([]); }
  }
  lines.at(-1).push(cell);
  return lines.filter((line) => line.some((each) => each.trim()));
}

// A box as four numbers, or what the API takes itself.
function outline(roi) {
  const box = FOUR.exec(roi ?? "");
  return box ? JSON.stringify({ box: box.slice(1).map(Number) }) : roi;
}
