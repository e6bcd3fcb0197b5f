// Reads sizes as people type them, by the rule of shared/domain/typed_sizes.py.

const PER_UNIT = { mm: 1, 밀리미터: 1, cm: 10, 센티미터: 10 };
// A comma is a decimal comma before one or two digits; before three it may part thousands.
const LENGTH = "([0-9]+(?:\\.[0-9]*|,[0-9]{1,2})?|\\.[0-9]+|,[0-9]{1,2})\\s*(mm|밀리미터|cm|센티미터)?";
const RAISED_DIGIT = /\p{No}/u;
const TYPED = new RegExp(`^${LENGTH}(?:\\s*[x×*]\\s*${LENGTH})?(?:\\s*[x×*]\\s*${LENGTH})?$`, "i");
export const MAX_MM = 300;
// Lengths that differ more, one of them without a unit of its own, were typed in different units: "14 x 9 x 1.2 cm".
const MAX_SIDES_RATIO = 7;
export const MIN_USUAL_MM = 2;
const MAX_USUAL_MM = 100;

// {mm, hasUnit}: the size, and whether a unit was typed; null if the text is not a size. Reads "14", "14.5 mm", "1,2 cm",
// "１２", and the largest of "1.4 x 0.9 cm". A number without a unit has the unit of the next number, else mm.
export function readSize(text) {
  const match = TYPED.exec(String(text).normalize("NFKC").trim());
  if (!match || RAISED_DIGIT.test(String(text))) return null;
  const sides = sidesMm(match.slice(1));
  const hasAllUnits = sides.length === match.slice(1).filter((part, index) => index % 2 && part).length;
  if (!hasAllUnits && Math.max(...sides) > MAX_SIDES_RATIO * Math.min(...sides)) return null;
  const mm = hundredth(Math.max(...sides));
  return mm > 0 ? { mm, hasUnit: match.slice(1).some((part, index) => index % 2 && part) } : null;
}

// The size in mm if SERA accepts it, else null.
export function parseSize(text) {
  const mm = readSize(text)?.mm;
  return mm !== undefined && mm <= MAX_MM ? mm : null;
}

export const hundredth = (mm) => Math.round(mm * 100) / 100;

// Whether a slip of the unit or the decimal point is likelier than a nodule of this size.
export const isUnusual = (mm) => mm < MIN_USUAL_MM || mm > MAX_USUAL_MM;

function sidesMm(parts) {
  const sides = [];
  let unit = "mm";
  for (let index = parts.length - 2; index >= 0; index -= 2) {
    if (parts[index] === undefined) continue;
    unit = parts[index + 1]?.toLowerCase() ?? unit;
    sides.push(Number(parts[index].replace(",", ".")) * PER_UNIT[unit]);
  }
  return sides;
}
