// On a phone a new case has three steps, one after another: its image, its nodule, its facts. On a desk all are there at once.

import { byId } from "./session.js";

/** @typedef {"image" | "nodule" | "facts"} Step */

const PHONE = matchMedia("(max-width: 40rem)");
/** @type {Step[]} */
const ORDER = ["image", "nodule", "facts"];

export class Steps {
  /** @param {HTMLElement} form */
  constructor(form) {
    this.form = form;
    byId("next").addEventListener("click", () => this.go(1));
    byId("back").addEventListener("click", () => this.go(-1));
  }

  get areUsed() { return PHONE.matches; }

  /** @param {Step} step */
  show(step) {
    this.form.dataset.step = step;
    for (const item of byId("steps").querySelectorAll("li")) {
      if (item.dataset.of === step) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    }
    if (this.areUsed) this.form.scrollIntoView({ block: "start" });
  }

  go(distance) {
    const step = ORDER[ORDER.indexOf(/** @type {Step} */ (this.form.dataset.step)) + distance];
    this.show(step);
    byId(`${step}-part`).focus({ preventScroll: true });
  }
}
