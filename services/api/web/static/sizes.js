// Sizes as people type them.

const PER_UNIT = { mm: 1, 밀리미터: 1, cm: 10, 센티미터: 10 };
const ONE = "(\\d+(?:[.,]\\d*)?|[.,]\\d+)\\s*(mm|밀리미터|cm|센티미터)?";
const TYPED = new RegExp(`^${ONE}(?:\\s*[x×*]\\s*${ONE})?(?:\\s*[x×*]\\s*${ONE})?$`, "i");
export const LARGEST_MM = 300;
export const LEAST_USUAL_MM = 2;
const MOST_USUAL_MM = 100;

// {mm, named}: the size, and whether a unit was typed too; null where none can be made of it: "14", "14.5 mm", "1,2 cm",
// "１２", and of "1.4 x 0.9 cm" the largest. A number without a unit has that of the one after it, else mm.
export function readSize(text) {
  const found = TYPED.exec(String(text).normalize("NFKC").trim());
  if (!found) return null;
  const sides = sidesMm(found.slice(1));
  const mm = hundredth(Math.max(...sides));
  return mm > 0 ? { mm, named: found.slice(1).some((part, at) => at % 2 && part) } : null;
}

// The size in mm that SERA takes, or null.
export function understood(text) {
  const mm = readSize(text)?.mm;
  return mm !== undefined && mm <= LARGEST_MM ? mm : null;
}

export const hundredth = (mm) => Math.round(mm * 100) / 100;

// Whether a size is such that a slip of the unit or the comma is likelier than the nodule.
export const unusual = (mm) => mm < LEAST_USUAL_MM || mm > MOST_USUAL_MM;

function sidesMm(parts) {
  const sides = [];
  let unit = "mm";
  for (let at = parts.length - 2; at >= 0; at -= 2) {
    if (parts[at] === undefined) continue;
    unit = parts[at + 1]?.toLowerCase() ?? unit;
    sides.push(Number(parts[at].replace(",", ".")) * PER_UNIT[unit]);
  }
  return sides;
}
