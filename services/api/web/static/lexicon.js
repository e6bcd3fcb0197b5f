// What the reader sees of the nodule, in the lexicon's terms. Nothing of it is asked for; half of it makes no points.

import { byId } from "./session.js";
import { t } from "./words.js";

export class Description {
  constructor() {
    this.place = byId("describe");
    this.choices = [...this.place.querySelectorAll("select")];
    this.foci = [...this.place.querySelectorAll("[name=foci]")];
    this.eccentric = byId("eccentric");
    this.place.addEventListener("change", () => this.changed());
    byId("undescribe").addEventListener("click", () => this.leave());
    this.changed();
  }

  get begun() { return this.choices.some((each) => each.value) || this.foci.some((each) => each.checked); }

  // What is sent; null where nothing was described.
  get told() {
    if (!this.begun) return null;
    const chosen = Object.fromEntries(this.choices.map(({ name, value }) => [name, value]));
    const foci = this.foci.filter((each) => each.checked).map((each) => each.value);
    return JSON.stringify({ ...chosen, foci, eccentric: this.mixed && this.eccentric.checked });
  }

  get mixed() { return byId("composition").value === "mixed"; }

  // Where a description that was begun has to go on, and what is said of it.
  objection() {
    const left = this.begun && this.choices.find((each) => !each.value);
    if (!left) return null;
    this.place.open = true;
    return [left, t("reader.describe.missing", { name: left.labels[0].textContent })];
  }

  clear() {
    for (const each of this.choices) each.value = "";
    for (const each of [...this.foci, this.eccentric]) each.checked = false;
    this.changed();
  }

  leave() {
    this.clear();
    this.choices[0].focus();
  }

  // Only of a mixed nodule the place of its solid part is asked for.
  changed() {
    byId("eccentric-field").hidden = !this.mixed;
    byId("undescribe").hidden = !this.begun;
  }
}
