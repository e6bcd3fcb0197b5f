// The explanation map of a case in the viewer, and the panel that explains it. A worker makes it after the waiting cases.

import { make } from "./elements.js";
import { t } from "./words.js";

/**
 * @typedef {{
 *   kind: string, of: string, layer: string | null, roi: {box: import("./geometry.js").Box}, strongest: number, heat: string,
 *   faithfulness: {area: number, orders: number},
 * }} MapFacts
 */

const INITIAL_OPACITY = 0.6, TIMEOUT_MS = 180_000;

export class ExplanationPanel {
  isOpen = false;
  /** @type {MapFacts[] | null} */
  maps = null;
  picked = 0;
  // The maps that failed their deletion test and that the reader asked for all the same.
  requested = new Set();
  /** @type {Promise<void> | null} */
  loading = null;

  /** @param {string} caseId @param {() => import("./viewer.js").Viewer} viewer */
  constructor(caseId, viewer) {
    this.caseId = caseId;
    this.viewer = viewer;
    this.status = make("p", { className: "hint", role: "status" });
    this.slider = make("input", { type: "range", id: "heatmap-opacity", min: "0", max: "100", step: "5", value: String(100 * INITIAL_OPACITY) });
    this.opacity = make("output", { for: this.slider.id });
    this.strength = field(t("heatmap.opacity"), this.slider, this.opacity);
    this.choice = make("select", { id: "heatmap-map" });
    this.choices = field(t("heatmap.choose"), this.choice);
    this.about = make("div", { className: "heatmap-about", "aria-live": "polite" });
    this.controls = make("div", { className: "heatmap-controls", hidden: true }, this.strength, this.choices);
    this.element = make("section", { className: "heatmap", "aria-label": t("heatmap.title"), hidden: true }, this.controls, this.about, this.status);
    this.slider.addEventListener("input", () => this.draw());
    this.choice.addEventListener("change", () => this.pick(Number(this.choice.value)));
  }

  toggle() {
    this.isOpen = !this.isOpen;
    this.element.hidden = !this.isOpen;
    if (!this.isOpen) return this.viewer().setMap(null);
    this.viewer().setMap(null, true);
    if (this.maps) return this.pick(this.picked);
    this.loading ??= this.load().finally(() => { this.loading = null; });
  }

  async load() {
    this.status.textContent = t("heatmap.making");
    try {
      const { maps } = await explanation(this.caseId);
      this.maps = maps;
      this.status.textContent = "";
      this.choice.replaceChildren(...maps.map((map, number) => new Option(label(map), String(number))));
      this.choices.hidden = maps.length < 2;
      this.controls.hidden = false;
      if (this.isOpen) this.pick(Math.max(maps.findIndex(isConfirmed), 0));
      if (this.isOpen) (this.element.querySelector("button") ?? this.slider).focus();
    } catch (problem) {
      this.status.textContent = problem.message;
    }
  }

  // A map that failed its deletion test is drawn only when the reader asks for it.
  /** @param {number} number */
  async pick(number) {
    const map = /** @type {MapFacts[]} */ (this.maps)[number];
    const isDrawn = isConfirmed(map) || this.requested.has(number);
    this.picked = number;
    this.choice.value = String(number);
    this.strength.hidden = !isDrawn;
    this.explain(map, isDrawn);
    this.layer = null;
    this.draw();
    if (!isDrawn) return;
    const layer = await loadLayer(map.heat).catch(() => null);
    this.status.textContent = layer ? "" : t("heatmap.damaged");
    if (number !== this.picked) return;
    this.layer = layer && { image: layer, box: map.roi.box };
    this.draw();
  }

  /** @param {MapFacts} map @param {boolean} isDrawn */
  explain(map, isDrawn) {
    const title = make("p", { className: "heatmap-label", textContent: label(map) }), tested = make("p", { className: "hint", textContent: faithfulness(map) });
    if (isDrawn) return this.about.replaceChildren(title, legend(map), tested);
    const draw = make("button", { type: "button", className: "heatmap-draw", textContent: t("heatmap.draw") });
    draw.addEventListener("click", () => {
      this.requested.add(this.picked);
      this.pick(this.picked);
      this.slider.focus();
    });
    this.about.replaceChildren(title, tested, draw);
  }

  draw() {
    this.opacity.value = t("heatmap.percent", { n: this.slider.value });
    this.slider.setAttribute("aria-valuetext", this.opacity.value);
    const map = this.layer ? { ...this.layer, opacity: Number(this.slider.value) / 100 } : null;
    if (this.isOpen) this.viewer().setMap(map, true);
  }
}

// Polls until the map is made. Raises an Error whose message is for the reader.
/** @param {string} caseId @returns {Promise<{maps: MapFacts[]}>} */
async function explanation(caseId) {
  const headers = { "Accept-Language": document.documentElement.lang }, deadline = performance.now() + TIMEOUT_MS;
  while (performance.now() < deadline) {
    const answer = await fetch(`/v1/cases/${caseId}/explanation`, { headers }).catch(() => { throw new Error(t("heatmap.away")); });
    if (answer.status === 200) return answer.json();
    if (answer.status !== 202) throw new Error((await answer.json()).detail);
    await new Promise((resolve) => setTimeout(resolve, 1000 * Number(answer.headers.get("Retry-After") ?? 2)));
  }
  throw new Error(t("heatmap.late"));
}

/** @param {string} path */
async function loadLayer(path) {
  const image = make("img", { src: path });
  await image.decode();
  return image;
}

/** @param {MapFacts} map */
function label(map) {
  return t(`heatmap.label.${map.kind}`, { network: map.of, layer: map.layer ?? "" });
}

/** @param {MapFacts} map */
function legend(map) {
  const line = (sign, key, fields) => make("li", { className: `heatmap-${sign}`, textContent: t(`heatmap.${key}`, fields) });
  const lines = [line("for", "for")];
  if (map.kind === "occlusion") {
    const value = (map.strongest > 0 ? "−" : "+") + Math.abs(map.strongest).toFixed(3);
    lines.push(line("against", "against"), line("strongest", "strongest", { value }));
  }
  return make("ul", { className: "heatmap-legend" }, ...lines);
}

/** @param {MapFacts} map */
const isConfirmed = (map) => map.faithfulness.area > 0;

/** @param {MapFacts} map */
function faithfulness(map) {
  const { area, orders } = map.faithfulness;
  return t(isConfirmed(map) ? "heatmap.faithful" : "heatmap.unfaithful", { area: area.toFixed(3), orders });
}

function field(text, input, ...more) {
  return make("p", { className: "field" }, make("label", { for: input.id, textContent: text }), input, ...more);
}
