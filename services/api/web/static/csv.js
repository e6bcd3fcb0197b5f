// Writes CSV by RFC 4180: cells in quotation marks may contain commas, line breaks and doubled quotation marks.

export const quote = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
