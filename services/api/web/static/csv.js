// A manifest as RFC 4180 has it: cells in quotation marks may hold commas, line breaks and doubled marks.

export const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

// The header, and of each row its cells by column and the line on which it begins.
export function rowsOf(text, parting = ",") {
  const [first, ...others] = records(text.replace(/^\uFEFF/, ""), parting);
  const header = (first?.cells ?? []).map((cell) => cell.trim());
  const rows = others.filter(({ cells }) => cells.some((cell) => cell.trim()));
  return { header, rows: rows.map(({ cells, line }) => ({ line, cells: Object.fromEntries(header.map((column, at) => [column, (cells[at] ?? "").trim()])) })) };
}

function records(text, parting) {
  const found = [], cell = new RegExp(`(?:"((?:[^"]|"")*)"|([^${parting}\\r\\n]*))(${parting}|\\r\\n|\\n|\\r|$)`, "gy");
  let cells = [], line = 1, begun = 1;
  while (cell.lastIndex < text.length) {
    const [whole, marked, plain, end] = cell.exec(text) ?? [text.slice(cell.lastIndex), undefined, "", "$"];
    cells.push(marked === undefined ? plain : marked.replaceAll('""', '"'));
    line += whole.split(/\r\n|\n|\r/).length - 1;
    if (end === parting) continue;
    found.push({ cells, line: begun });
    [cells, begun] = [[], line];
    if (end === "$") break;
  }
  return found;
}
