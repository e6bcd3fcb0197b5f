// Window and level of an 8-bit image, by the linear function of DICOM (PS3.3, C.11.2.1.2), and inversion.

export const GREYS = 256;
const MAX_WINDOW = 512;
const PLAIN = { window: GREYS, level: GREYS / 2 };
// By what a reader looks for: texture of a dark nodule, calcifications, margins.
export const PRESETS = {
  plain: PLAIN,
  contrast: { window: 150, level: 105 },
  dark: { window: 110, level: 60 },
  bright: { window: 130, level: 180 },
};

const clamp = (value, min, max) => Math.min(Math.max(Math.round(value), min), max);

// The shown grey of each stored grey, 0 to 255.
export function greyTable({ window, level, isInverted }) {
  const table = new Uint8ClampedArray(GREYS);
  for (let grey = 0; grey < GREYS; grey += 1) {
    const shown = ((grey - (level - 0.5)) / Math.max(window - 1, 1) + 0.5) * (GREYS - 1);
    table[grey] = isInverted ? GREYS - 1 - Math.min(Math.max(shown, 0), GREYS - 1) : shown;
  }
  return table;
}

// A copy of the pixels with each colour channel mapped by a table. Alpha stays.
/** @param {ImageData} pixels @param {Uint8ClampedArray} table */
export function mapGreys({ data, width, height }, table) {
  const mapped = new ImageData(width, height);
  for (let index = 0; index < data.length; index += 4) {
    mapped.data[index] = table[data[index]];
    mapped.data[index + 1] = table[data[index + 1]];
    mapped.data[index + 2] = table[data[index + 2]];
    mapped.data[index + 3] = data[index + 3];
  }
  return mapped;
}

export class GreyLevels {
  window = PLAIN.window;
  level = PLAIN.level;
  isInverted = false;

  get isPlain() { return this.window === PLAIN.window && this.level === PLAIN.level && !this.isInverted; }

  get table() { return greyTable(this); }

  // The name of the preset in use; undefined if the values are the reader's own.
  get preset() { return Object.keys(PRESETS).find((name) => PRESETS[name].window === this.window && PRESETS[name].level === this.level); }

  set(window, level) {
    this.window = clamp(window, 1, MAX_WINDOW);
    this.level = clamp(level, 0, GREYS - 1);
  }

  // To the right is a wider window, downwards a higher level: a darker picture.
  drag(right, down) { this.set(this.window + right, this.level + down); }

  usePreset(name) { this.set(PRESETS[name].window, PRESETS[name].level); }

  invert() { this.isInverted = !this.isInverted; }

  reset() {
    this.usePreset("plain");
    this.isInverted = false;
  }
}
