// The viewer's toolbar: one stop of the Tab key, arrows go from button to button (WAI-ARIA toolbar pattern).

import { icon, make } from "./elements.js";
import { PRESETS } from "./grey-levels.js";
import { t } from "./words.js";

/** @typedef {import("./viewer.js").Viewer} Viewer */

const ICONS = {
  move: ["M12 3v18M3 12h18M9 6l3-3 3 3M9 18l3 3 3-3M6 9l-3 3 3 3M18 9l3 3-3 3"],
  window: ["M12 4a8 8 0 1 0 0 16z", "M12 4a8 8 0 0 1 0 16M12 1v3M12 20v3M23 12h-3M4 12H1"],
  caliper: ["M4 20L20 4M2 18l4 4M18 2l4 4M9 11l2 2M12 8l2 2"],
  box: ["M5 6h14v12H5z"],
  polygon: ["M12 3l8 6-3 10H7L4 9z"],
  cover: ["M4 7h16v10H4z", "M8 12h8"],
  click: ["M9 9l11 4-5 2-2 5z", "M5 3v3M3 5h3M9 3l-1 2M3 9l2-1"],
  smaller: ["M5 12h14"],
  larger: ["M5 12h14M12 5v14"],
  fit: ["M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5"],
  one: ["M6 8l2-2v12M16 8l2-2v12M12 10v.5M12 15v.5"],
  invert: ["M5 5h14v14H5z", "M5 19L19 5v14z"],
  outlines: ["M12 4c5 0 8 3 8 8s-4 8-8 8-8-4-8-8c0-3 3-8 8-8z"],
  map: ["M12 21c-4 0-7-3-7-7 0-5 5-6 5-11 4 2 9 6 9 11 0 4-3 7-7 7z"],
  undo: ["M8 5L4 9l4 4", "M4 9h10a5 5 0 0 1 0 10h-4"],
  redo: ["M16 5l4 4-4 4", "M20 9H10a5 5 0 0 0 0 10h4"],
};
// A filled half shows what the two greys mean.
const FILLED = { window: 0, invert: 1, cover: 0 };
const TOOL_KEYS = { move: "V", window: "W", caliper: "C", box: "R", polygon: "O", click: "K", cover: "E" };

/**
 * @typedef {{name: string, key: string, press: () => unknown, isPressed?: () => boolean, isPossible?: () => boolean, group: string}} Item
 */

export class Toolbar {
  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    this.items = this.allItems();
    this.buttons = this.items.map((item) => this.button(item));
    this.presets = this.presetChoice();
    this.element = make("div", { className: "viewer-toolbar", role: "toolbar", "aria-label": t("viewer.toolbar") });
    this.element.append(...this.groups());
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.element.addEventListener("focusin", (event) => this.makeStop(event.target));
    this.makeStop(this.controls[0]);
  }

  /** @returns {HTMLElement[]} */
  get controls() { return [...this.element.querySelectorAll("button, select")]; }

  /** @returns {Item[]} */
  allItems() {
    const { viewer } = this, { greys, viewport } = viewer;
    const tools = viewer.toolNames.map((name) => ({ name, key: TOOL_KEYS[name], group: "tools", press: () => viewer.useTool(name), isPressed: () => viewer.toolName === name }));
    const views = [
      { name: "smaller", key: "−", press: () => viewer.zoomBy(1 / 1.25), isPossible: () => viewport.scale > viewport.minScale },
      { name: "larger", key: "+", press: () => viewer.zoomBy(1.25) },
      { name: "fit", key: "Home", press: () => viewer.fit(), isPressed: () => viewport.isFitted },
      { name: "one", key: "End", press: () => viewer.showOneToOne(), isPressed: () => viewport.scale === 1 },
    ].map((item) => ({ ...item, group: "view" }));
    const invert = { name: "invert", key: "I", group: "greys", press: () => viewer.changeGreys(() => greys.invert()), isPressed: () => greys.isInverted };
    const edits = [
      { name: "undo", key: "U", press: () => viewer.undo(), isPossible: () => viewer.history.canUndo },
      { name: "redo", key: "Ctrl+Y", press: () => viewer.redo(), isPossible: () => viewer.history.canRedo },
    ].map((item) => ({ ...item, group: "edit" }));
    return [...tools, ...views, invert, ...this.layers(), ...edits];
  }

  /** @returns {Item[]} */
  layers() {
    const { viewer } = this;
    /** @type {Item[]} */
    const layers = [];
    if (viewer.outlines.length) layers.push({ name: "outlines", key: "H", group: "layers", press: () => viewer.toggleOutlines(), isPressed: () => viewer.showsOutlines });
    if (viewer.options.onMap) layers.push({ name: "map", key: "X", group: "layers", press: () => viewer.toggleMap(), isPressed: () => viewer.showsMap });
    return layers;
  }

  /** @param {Item} item */
  button({ name, key, press }) {
    const drawing = icon(ICONS[name]);
    if (name in FILLED) drawing.children[FILLED[name]].classList.add("filled");
    const label = t(`viewer.tool.${name}`), long = t(`viewer.tool_says.${name}`);
    const button = make("button", { type: "button", title: `${long} (${key})`, "aria-label": long, "data-tool": name, "aria-keyshortcuts": shortcut(key), tabIndex: -1 },
      drawing, make("span", { textContent: label, "aria-hidden": "true" }));
    button.addEventListener("click", () => button.getAttribute("aria-disabled") === "true" || press());
    return button;
  }

  presetChoice() {
    const select = make("select", { "aria-label": t("viewer.presets"), title: `${t("viewer.presets")} (G)`, tabIndex: -1 });
    for (const name of Object.keys(PRESETS)) select.append(new Option(t(`viewer.preset.${name}`), name));
    select.append(new Option(t("viewer.preset.own"), "own"));
    select.options[select.options.length - 1].hidden = true;
    select.addEventListener("change", () => this.viewer.changeGreys((greys) => greys.usePreset(select.value)));
    return select;
  }

  groups() {
    const names = [...new Set(this.items.map((item) => item.group))];
    return names.map((group) => {
      const parts = this.buttons.filter((_, index) => this.items[index].group === group);
      const element = make("div", { className: "viewer-group" }, ...parts);
      if (group === "greys") element.append(this.presets);
      return element;
    });
  }

  update() {
    this.items.forEach(({ isPressed, isPossible }, index) => {
      const button = this.buttons[index];
      if (isPressed) button.setAttribute("aria-pressed", String(isPressed()));
      if (isPossible) button.setAttribute("aria-disabled", String(!isPossible()));
    });
    this.presets.value = this.viewer.greys.preset ?? "own";
  }

  makeStop(control) {
    const stop = control.closest("button, select");
    for (const other of this.controls) other.tabIndex = other === stop ? 0 : -1;
  }

  key(event) {
    const controls = this.controls.filter((control) => control.checkVisibility()), at = controls.indexOf(event.target.closest("button, select"));
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: controls.length - 1 }[event.key];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    controls[(next + controls.length) % controls.length].focus();
  }
}

// The shortcut as `aria-keyshortcuts` names it.
function shortcut(key) {
  return { "−": "-", "+": "+", "Ctrl+Y": "Control+Y" }[key] ?? key;
}
