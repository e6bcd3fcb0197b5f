// The reader's optional description of the nodule in the lexicon's terms. It is complete or empty, as guidelines need all of it.

import { byId } from "./session.js";
import { t } from "./words.js";

export class Description {
  constructor() {
    this.section = byId("describe");
    this.choices = [...this.section.querySelectorAll("select")];
    this.foci = [...this.section.querySelectorAll("[name=foci]")];
    this.eccentric = byId("eccentric");
    this.section.addEventListener("change", () => this.update());
    byId("undescribe").addEventListener("click", () => this.leave());
    this.update();
  }

  get isBegun() { return this.choices.some((choice) => choice.value) || this.foci.some((focus) => focus.checked); }

  // The description as JSON; null if there is none.
  get json() {
    if (!this.isBegun) return null;
    const terms = Object.fromEntries(this.choices.map(({ name, value }) => [name, value]));
    const foci = this.foci.filter((focus) => focus.checked).map((focus) => focus.value);
    return JSON.stringify({ ...terms, foci, eccentric: this.isMixed && this.eccentric.checked });
  }

  get isMixed() { return byId("composition").value === "mixed"; }

  // The first missing field of a begun description and its message; null if nothing is missing.
  objection() {
    const missing = this.isBegun && this.choices.find((choice) => !choice.value);
    if (!missing) return null;
    this.section.open = true;
    return [missing, t("reader.describe.missing", { name: missing.labels[0].textContent })];
  }

  clear() {
    for (const choice of this.choices) choice.value = "";
    for (const checkbox of [...this.foci, this.eccentric]) checkbox.checked = false;
    this.update();
  }

  leave() {
    this.clear();
    this.choices[0].focus();
  }

  // The place of the solid part is asked for a mixed nodule only.
  update() {
    byId("eccentric-field").hidden = !this.isMixed;
    byId("undescribe").hidden = !this.isBegun;
  }
}
