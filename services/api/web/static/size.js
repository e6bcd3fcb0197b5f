// The field of the nodule's size: reads millimetres, and asks about sizes that are probably slips.

import { byId } from "./session.js";
import { MIN_USUAL_MM, hundredth, readSize, isUnusual } from "./sizes.js";
import { language, t } from "./words.js";

const SLIP_FACTORS = [10, 0.1, 100, 0.01];

export const formatNumber = (mm) => new Intl.NumberFormat(language, { maximumFractionDigits: 2, useGrouping: false }).format(mm);

// Sizes that may have been meant if the unit or the decimal point was mistaken.
export const likelySizes = (mm) => (isUnusual(mm) ? SLIP_FACTORS.map((slip) => hundredth(mm * slip)).filter((likely) => !isUnusual(likely)) : []);

export class SizeField {
  constructor(largest) {
    this.largest = largest;
    /** @type {string | null} what the calipers put into the field */
    this.filled = null;
    this.input = byId("size");
    this.input.addEventListener("input", () => this.changed());
    this.input.addEventListener("change", () => this.question());
  }

  get mm() { return readSize(this.input.value)?.mm ?? null; }

  // Why this size cannot be sent; null if it can.
  objection() {
    const { mm } = this;
    if (mm === null) return t(this.input.value.trim() ? "reader.size.unread" : "reader.size.missing");
    this.question();
    return byId("size-doubt").hidden ? null : this.doubt(mm);
  }

  // Shows the size by the image's own scale, if there is one.
  offer(mm) {
    this.measured = mm;
    this.compare();
  }

  // The reader's calipers fill an empty field, or what they filled before; else the size is offered.
  /** @param {number[]} diameters  in mm, the longest first */
  fill(diameters) {
    if (!diameters.length) return;
    const text = diameters.map((mm) => formatNumber(Math.round(mm * 10) / 10)).join(" × ");
    const isOwn = this.input.value.trim() && this.input.value !== this.filled;
    if (isOwn) return this.offer(Math.round(diameters[0] * 10) / 10);
    this.input.value = this.filled = text;
    this.changed();
  }

  clear() {
    this.confirmed = this.measured = this.filled = null;
    this.input.value = "";
    this.changed();
  }

  take(mm) {
    this.input.value = formatNumber(mm);
    this.changed();
    this.input.focus();
  }

  changed() {
    const typed = this.input.value.trim(), size = readSize(typed);
    const number = size ? t("common.mm", { value: formatNumber(size.mm) }) : "";
    byId("size-unit").textContent = size?.hasUnit ? `= ${number}` : "mm";
    byId("size-said").textContent = size ? t("reader.size.understood", { size: number }) : typed && t("reader.size.unread");
    byId("size-said").classList.toggle("problem", Boolean(typed) && !size);
    byId("size-said").classList.toggle("visually-hidden", Boolean(size)); // seen in the unit beside the field
    this.input.setAttribute("aria-invalid", String(Boolean(typed) && !size));
    if (byId("size-doubt").hidden === false) this.question();
    this.compare();
  }

  question() {
    const { mm } = this, box = byId("size-doubt");
    box.hidden = mm === null || !isUnusual(mm) || this.confirmed === mm;
    if (mm === null || box.hidden) return box.replaceChildren();
    const choices = likelySizes(mm).map((likely) => this.choice("reader.size.use_converted", likely, () => this.take(likely)));
    if (mm <= this.largest) choices.push(this.choice("reader.size.keep", mm, () => this.keep(mm)));
    box.replaceChildren(line(this.doubt(mm)), row(choices));
  }

  doubt(mm) {
    if (mm > this.largest) return t("reader.size.beyond", { size: t("common.mm", { value: this.largest }) });
    return t(mm < MIN_USUAL_MM ? "reader.size.small" : "reader.size.large", { size: t("common.mm", { value: formatNumber(mm) }) });
  }

  keep(mm) {
    this.confirmed = mm;
    this.question();
    this.input.focus();
  }

  compare() {
    const { mm, measured } = this, box = byId("size-offer");
    box.hidden = !measured || mm === measured;
    if (box.hidden) return box.replaceChildren();
    const text = t("reader.size.measured", { size: t("common.mm", { value: formatNumber(measured) }) });
    box.replaceChildren(line(text), row([this.choice("reader.size.use", measured, () => this.take(measured))]));
  }

  choice(key, mm, act) {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.textContent = t(key, { size: t("common.mm", { value: formatNumber(mm) }), cm: formatNumber(mm / 10) });
    button.addEventListener("click", act);
    return button;
  }
}

const line = (text) => Object.assign(document.createElement("p"), { textContent: text });

function row(buttons) {
  const element = Object.assign(document.createElement("div"), { className: "actions" });
  element.append(...buttons);
  return element;
}
