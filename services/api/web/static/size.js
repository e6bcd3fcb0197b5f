// What was typed as a nodule's size: understood in millimetres, and questioned where it can hardly be meant.

import { byId } from "./session.js";
import { LEAST_USUAL_MM, hundredth, readSize, unusual } from "./sizes.js";
import { language, t } from "./words.js";

const SLIPS = [10, 0.1, 100, 0.01];

export const shown = (mm) => new Intl.NumberFormat(language, { maximumFractionDigits: 2, useGrouping: false }).format(mm);

// What may have been meant where centimetres and millimetres, or the point, were mixed up.
export const meant = (mm) => (unusual(mm) ? SLIPS.map((slip) => hundredth(mm * slip)).filter((other) => !unusual(other)) : []);

export class SizeField {
  constructor(largest) {
    this.largest = largest;
    this.input = byId("size");
    this.input.addEventListener("input", () => this.changed());
    this.input.addEventListener("change", () => this.question());
  }

  get mm() { return readSize(this.input.value)?.mm ?? null; }

  // What stands in the way of this size; null if nothing does.
  objection() {
    const { mm } = this;
    if (mm === null) return t(this.input.value.trim() ? "reader.size.unread" : "reader.size.missing");
    this.question();
    return byId("size-doubt").hidden ? null : this.doubted(mm);
  }

  // Says what the image's own calibration gives, if anything.
  offer(mm) {
    this.offered = mm;
    this.compare();
  }

  clear() {
    this.kept = this.offered = null;
    this.input.value = "";
    this.changed();
  }

  take(mm) {
    this.input.value = shown(mm);
    this.changed();
    this.input.focus();
  }

  changed() {
    const typed = this.input.value.trim(), read = readSize(typed);
    const number = read ? t("common.mm", { value: shown(read.mm) }) : "";
    byId("size-unit").textContent = read?.named ? `= ${number}` : "mm";
    byId("size-said").textContent = read ? t("reader.size.understood", { size: number }) : typed && t("reader.size.unread");
    byId("size-said").classList.toggle("problem", Boolean(typed) && !read);
    this.input.setAttribute("aria-invalid", String(Boolean(typed) && !read));
    if (byId("size-doubt").hidden === false) this.question();
    this.compare();
  }

  question() {
    const { mm } = this, box = byId("size-doubt");
    box.hidden = mm === null || !unusual(mm) || this.kept === mm;
    if (mm === null || box.hidden) return box.replaceChildren();
    const choices = meant(mm).map((other) => this.choice("reader.size.meant", other, () => this.take(other)));
    if (mm <= this.largest) choices.push(this.choice("reader.size.keep", mm, () => this.keep(mm)));
    box.replaceChildren(line(this.doubted(mm)), row(choices));
  }

  doubted(mm) {
    if (mm > this.largest) return t("reader.size.beyond", { size: t("common.mm", { value: this.largest }) });
    return t(mm < LEAST_USUAL_MM ? "reader.size.small" : "reader.size.large", { size: t("common.mm", { value: shown(mm) }) });
  }

  keep(mm) {
    this.kept = mm;
    this.question();
    this.input.focus();
  }

  compare() {
    const { mm, offered } = this, box = byId("size-offer");
    box.hidden = !offered || mm === offered;
    if (box.hidden) return box.replaceChildren();
    const said = t("reader.size.measured", { size: t("common.mm", { value: shown(offered) }) });
    box.replaceChildren(line(said), row([this.choice("reader.size.take", offered, () => this.take(offered))]));
  }

  choice(key, mm, act) {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.textContent = t(key, { size: t("common.mm", { value: shown(mm) }), cm: shown(mm / 10) });
    button.addEventListener("click", act);
    return button;
  }
}

const line = (text) => Object.assign(document.createElement("p"), { textContent: text });

function row(buttons) {
  const made = Object.assign(document.createElement("div"), { className: "actions" });
  made.append(...buttons);
  return made;
}
