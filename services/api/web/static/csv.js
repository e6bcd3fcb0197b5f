// CSV by RFC 4180: cells in quotation marks may contain commas, line breaks and doubled quotation marks.

export const quote = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

// The header, and each row with its cells by column and the line on which it begins.
export function rowsOf(text, separator = ",") {
  const [first, ...rest] = records(text.replace(/^\uFEFF/, ""), separator);
  const header = (first?.cells ?? []).map((cell) => cell.trim());
  const rows = rest.filter(({ cells }) => cells.some((cell) => cell.trim()));
  return { header, rows: rows.map(({ cells, line }) => ({ line, cells: Object.fromEntries(header.map((column, index) => [column, (cells[index] ?? "").trim()])) })) };
}

function records(text, separator) {
  const lines = [], cell = new RegExp(`(?:"((?:[^"]|"")*)"|([^${separator}\\r\\n]*))(${separator}|\\r\\n|\\n|\\r|$)`, "gy");
  let cells = [], line = 1, firstLine = 1;
  while (cell.lastIndex < text.length) {
    const [whole, quotedText, plain, end] = cell.exec(text) ?? [text.slice(cell.lastIndex), undefined, "", "$"];
    cells.push(quotedText === undefined ? plain : quotedText.replaceAll('""', '"'));
    line += whole.split(/\r\n|\n|\r/).length - 1;
    if (end === separator) continue;
    lines.push({ cells, line: firstLine });
    cells = [];
    firstLine = line;
    if (end === "$") break;
  }
  return lines;
}
