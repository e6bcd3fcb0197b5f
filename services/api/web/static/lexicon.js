// The reader's optional description of the nodule in the lexicon's terms, as chips; the guideline's points and level count along.
// It is complete or empty, as guidelines need all of it.

import { countPoints, findLevel } from "./guideline.js";
import { byId } from "./session.js";
import { t } from "./words.js";

export class Description {
  constructor() {
    this.section = byId("describe");
    /** @type {import("./guideline.js").Guideline} */
    this.guideline = JSON.parse(this.section.dataset.guideline);
    this.groups = [...this.section.querySelectorAll("fieldset[data-field]")];
    this.foci = [...this.section.querySelectorAll("[name=foci]")];
    this.eccentric = byId("eccentric");
    /** @type {Map<string, string>} the chosen term of each group at the last change */
    this.chosen = new Map();
    this.section.addEventListener("change", () => this.update());
    this.section.addEventListener("click", (event) => this.unchoose(event.target));
    // A browser does nothing at the space bar on a chosen radio button.
    this.section.addEventListener("keydown", (event) => this.pressSpace(event));
    byId("undescribe").addEventListener("click", () => this.leave());
    this.update();
  }

  get isBegun() { return this.groups.some((group) => termOf(group)) || this.foci.some((focus) => focus.checked); }

  /** @returns {import("./guideline.js").Nodule} */
  get nodule() {
    const terms = Object.fromEntries(this.groups.filter(termOf).map((group) => [group.dataset.field, termOf(group)]));
    const foci = this.foci.filter((focus) => focus.checked).map((focus) => focus.value);
    return { ...terms, foci, eccentric: terms.composition === "mixed" && this.eccentric.checked };
  }

  get missing() { return this.groups.filter((group) => !termOf(group)); }

  // The description as JSON; null if there is none.
  get json() { return this.isBegun ? JSON.stringify(this.nodule) : null; }

  // The first missing field of a begun description and its message; null if nothing is missing.
  objection() {
    const [missing] = this.isBegun ? this.missing : [];
    return missing ? [missing.querySelector("input"), t("reader.describe.missing", { name: titleOf(missing) })] : null;
  }

  clear() {
    for (const choice of this.section.querySelectorAll("input")) choice.checked = false;
    this.update();
  }

  leave() {
    this.clear();
    this.section.querySelector("input").focus();
  }

  // A press on the chosen chip of a group gives it up.
  unchoose(input) {
    if (input.type !== "radio" || this.chosen.get(input.name) !== input.value) return this.remember();
    input.checked = false;
    this.remember();
    this.update();
  }

  pressSpace(event) {
    if (event.key !== " " || event.target.type !== "radio" || !event.target.checked) return;
    event.preventDefault();
    this.unchoose(event.target);
  }

  remember() {
    this.chosen = new Map(this.groups.map((group) => [group.dataset.field, termOf(group)]));
  }

  // The place of the solid part is asked for a mixed nodule only.
  update() {
    byId("eccentric-field").hidden = this.nodule.composition !== "mixed";
    byId("undescribe").hidden = !this.isBegun;
    byId("counted").replaceChildren(...this.counted());
  }

  /** @returns {(Node | string)[]} */
  counted() {
    if (!this.isBegun) return [t("reader.count.none")];
    const { guideline, nodule, missing } = this, n = countPoints(guideline, nodule);
    const points = t(guideline.has_points ? "reader.count.points" : "reader.count.signs", { n });
    if (missing.length) return [`${points} · ${t("reader.count.missing", { names: missing.map(titleOf).join(", ") })}`];
    const level = findLevel(guideline, nodule);
    const name = Object.assign(document.createElement("strong"), { textContent: level ? guideline.levels[level] : t("reader.count.no_level") });
    return [name, ` ${points}`];
  }
}

const termOf = (group) => group.querySelector("input[type=radio]:checked")?.value;
const titleOf = (group) => group.querySelector("legend").textContent;
