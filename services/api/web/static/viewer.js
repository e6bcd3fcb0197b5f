// The viewer of an ultrasound image: zoom, window and level, outlines, calipers, frames and the map, by mouse, touch and keys.

import { make } from "./elements.js";
import { editable, encloses, lengthMm } from "./geometry.js";
import { GreyLevels, PRESETS, mapGreys } from "./grey-levels.js";
import { History } from "./history.js";
import { Frames } from "./viewer-frames.js";
import { PointerInput, listenToKeys } from "./viewer-input.js";
import { keyHelp } from "./viewer-help.js";
import { drawBox, drawCaliper, drawCover, drawCross, drawHandles, drawLoupe, drawMap, drawOpenOutline, drawOutline, drawProposal } from "./viewer-overlay.js";
import { Toolbar } from "./viewer-toolbar.js";
import { makeTools } from "./viewer-tools.js";
import { Viewport } from "./viewport.js";
import { t } from "./words.js";

/**
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {import("./geometry.js").Line} Line
 * @typedef {import("./geometry.js").Calibration} Calibration
 * @typedef {import("./viewer-tools.js").ToolName} ToolName
 * @typedef {{box: Box | null, polygon: Point[] | null, calipers: Line[]}} Marks
 * @typedef {{points: Point[], style: "read" | "given"}} Outline
 * @typedef {{image: CanvasImageSource, box: Box, opacity: number}} ExplanationMap
 * @typedef {{marks: Marks, diametersMm: number[]}} Change  diametersMm: of the calipers, the longest first
 * @typedef {{
 *   label: string,
 *   tools?: ToolName[],
 *   outlines?: Outline[],
 *   onChange?: (change: Change) => void,
 *   onOutlineAt?: (point: Point) => Promise<Point[] | null>,
 *   onFrame?: (frame: number) => void,
 *   onCover?: (box: Box) => void,
 *   onMap?: () => unknown,
 * }} Options
 *   label: what the image is, for screen readers; outlines: drawn over the image and switched off together; onChange:
 *   called after each edit by the reader; onOutlineAt: the outline of the nodule at a point, or null, for the tool
 *   `click`; onFrame: called when the reader has chosen a frame, or stopped at one; onCover: called with an area that the reader wants to
 *   blacken; onMap: called when the reader asks for the map, or no longer wants it
 * @typedef {{count: number, current: number, load: (frame: number) => Promise<ImageBitmap>}} Loop
 */

/** @type {Marks} */
const NO_MARKS = { box: null, polygon: null, calipers: [] };
const SAY_AFTER_MS = 400;
// Above this scale pixels are shown as squares.
const SMOOTH_UP_TO = 6;

export class Viewer {
  viewport = new Viewport();
  greys = new GreyLevels();
  history = new History(NO_MARKS);
  /** @type {Marks} */
  marks = NO_MARKS;
  /** @type {ToolName} */
  toolName = "move";
  /** @type {Calibration | null} */
  calibration = null;
  /** @type {ExplanationMap | null} */
  map = null;
  showsMap = false;
  showsOutlines = true;
  isReady = false;
  /** @type {Point[][]} SERA's own outlines, of which the reader may accept one */
  proposals = [];
  /** @type {Box | null} an area to blacken that is being drawn */
  cover = null;
  /** @type {Point | null} */
  cross = null;
  /** @type {Point | null} where a finger hides the image, on the screen */
  finger = null;
  source = document.createElement("canvas");
  shown = document.createElement("canvas");
  areGreysStale = true;
  isDrawing = false;

  /** @param {HTMLElement} root  an element that gives the viewer its size @param {Options} options */
  constructor(root, options) {
    this.root = root;
    this.options = options;
    this.outlines = options.outlines ?? [];
    /** @type {ToolName[]} */
    this.toolNames = options.tools ?? ["move", "window", "caliper"];
    this.tools = makeTools(this);
    this.frames = new Frames(this);
    this.toolbar = new Toolbar(this);
    this.canvas = make("canvas", { tabIndex: 0, role: "application", "aria-label": options.label, "aria-roledescription": t("viewer.kind") });
    this.readout = make("p", { className: "viewer-readout", "aria-hidden": "true" });
    this.status = make("p", { className: "visually-hidden", role: "status" });
    this.proposal = make("div", { className: "viewer-proposal", hidden: true });
    this.stage = make("div", { className: "viewer-stage" }, this.canvas, this.readout, this.proposal);
    this.assemble();
    this.pointers = new PointerInput(this, this.canvas);
    listenToKeys(this, this.canvas);
    new ResizeObserver(() => this.resize()).observe(this.stage);
    this.useTool("move");
  }

  assemble() {
    const help = keyHelp(this.toolNames, this.outlines.length > 0, Boolean(this.options.onMap));
    this.canvas.setAttribute("aria-describedby", help.hint.id);
    this.toolbar.element.append(help.button);
    this.root.classList.add("viewer");
    this.root.append(this.toolbar.element, this.stage, this.frames.element, this.status, help.hint, help.popover);
  }

  get tool() { return this.tools[this.toolName]; }

  /**
   * Shows an image in whole. Marks, proposals and greys begin anew.
   *
   * @param {ImageBitmap} image
   * @param {{calibration?: Calibration | null, marks?: Partial<Marks>, frames?: Loop}} [facts]
   */
  show(image, { calibration = null, marks = {}, frames } = {}) {
    this.isReady = true;
    this.calibration = calibration;
    this.map = null;
    this.showsMap = false;
    this.cross = null;
    this.cover = null;
    this.proposals = [];
    this.greys.reset();
    this.marks = { ...NO_MARKS, ...marks };
    this.history = new History(this.marks);
    this.viewport.setImage(image.width, image.height);
    this.frames.set({ count: 1, current: 1, load: () => Promise.resolve(image), ...frames, image });
    this.replaceImage(image, this.frames.current);
    this.resize();
    this.showProposalActions();
  }

  // Shows the same image as it is now, after areas of it were blackened; view, greys and marks stay.
  /** @param {ImageBitmap} image @param {Loop} loop */
  refresh(image, loop) {
    this.cover = null;
    this.frames.set({ ...loop, image });
    this.replaceImage(image, loop.current);
  }

  // Shows another picture of the same size in place of the present one; view, greys and marks stay.
  /** @param {ImageBitmap} image @param {number} frame */
  replaceImage(image, frame) {
    Object.assign(this.source, { width: image.width, height: image.height });
    this.source.getContext("2d", { willReadFrequently: true })?.drawImage(image, 0, 0);
    this.areGreysStale = true;
    this.frame = frame;
    this.redraw();
  }

  resize() {
    const { clientWidth, clientHeight } = this.stage, dense = devicePixelRatio || 1;
    if (!clientWidth || !clientHeight) return;
    Object.assign(this.canvas, { width: Math.round(clientWidth * dense), height: Math.round(clientHeight * dense) });
    this.viewport.setScreen(clientWidth, clientHeight);
    this.changedView();
  }

  // ---- the view

  fit() { this.viewport.fit(); this.changedView(true); }
  showOneToOne() { this.viewport.zoomTo(1); this.changedView(true); }
  /** @param {number} factor @param {Point} [at] */
  zoomBy(factor, at) { this.viewport.zoomBy(factor, at); this.changedView(true); }

  pan(right, down) {
    if (!this.viewport.showsAll) this.viewport.panBy(right, down);
    this.changedView();
  }

  // What was under two fingers stays under them.
  /** @param {import("./viewer-input.js").Spread} before @param {import("./viewer-input.js").Spread} after */
  pinch(before, after) {
    this.viewport.panBy(after.middle[0] - before.middle[0], after.middle[1] - before.middle[1]);
    if (before.length > 0) this.viewport.zoomBy(after.length / before.length, after.middle);
    this.changedView(true);
  }

  /** @param {Point} at */
  toggleFit(at) {
    if (this.toolName !== "move" || !this.isReady) return;
    if (this.viewport.isFitted) this.viewport.zoomTo(Math.max(1, 2 * this.viewport.fitScale), at);
    else this.viewport.fit();
    this.changedView(true);
  }

  resetView() {
    this.greys.reset();
    this.viewport.fit();
    this.changedGreys();
    this.changedView(true);
  }

  changedView(isSaid = false) {
    // A finger that cannot move the image scrolls the page.
    this.canvas.style.touchAction = this.toolName === "move" && this.viewport.showsAll ? "pan-y" : "none";
    if (isSaid) this.say(t("viewer.said.zoom", { n: Math.round(100 * this.viewport.scale) }));
    this.redraw();
  }

  // ---- grey levels

  /** @param {(greys: GreyLevels) => void} change */
  changeGreys(change) {
    change(this.greys);
    this.changedGreys();
    const { window, level, preset, isInverted } = this.greys;
    const name = preset ? t(`viewer.preset.${preset}`) : t("viewer.said.greys", { window, level });
    this.say(isInverted ? `${name}, ${t("viewer.said.inverted")}` : name);
  }

  useNextPreset() {
    const names = Object.keys(PRESETS), at = names.indexOf(this.greys.preset ?? "");
    this.changeGreys((greys) => greys.usePreset(names[(at + 1) % names.length]));
  }

  changedGreys() {
    this.areGreysStale = true;
    this.redraw();
  }

  // ---- marks and tools

  /** @param {ToolName} name @returns {boolean} whether this viewer has the tool */
  useTool(name) {
    if (!this.toolNames.includes(name)) return false;
    if (name !== this.toolName) this.tool.cancel();
    this.toolName = name;
    this.cross = null;
    this.canvas.style.cursor = this.tool.cursor;
    if (this.isReady) this.say(t(`viewer.tool_says.${name}`));
    this.changedView();
    return true;
  }

  // Changes marks during a gesture; `commit` ends it.
  /** @param {Partial<Marks>} change */
  setMarks(change) {
    this.marks = { ...this.marks, ...change };
    this.redraw();
  }

  commit() {
    if (this.marks === this.history.state) return this.redraw();
    this.history.push(this.marks);
    this.changedMarks();
  }

  undo() { if (this.history.undo()) this.restore(); }
  redo() { if (this.history.redo()) this.restore(); }

  restore() {
    this.tool.cancel();
    this.marks = this.history.state;
    this.changedMarks();
  }

  changedMarks() {
    this.showProposalActions();
    const { box, polygon, calipers } = this.marks, [last] = calipers.slice(-1);
    if (last && this.toolName === "caliper") this.say(this.lengthText(last));
    else if (polygon) this.say(t("viewer.said.outline", { n: polygon.length }));
    else this.say(box ? t("viewer.said.box", { width: box[2], height: box[3] }) : t("viewer.said.nothing"));
    this.options.onChange?.({ marks: this.marks, diametersMm: this.diametersMm });
    this.redraw();
  }

  get diametersMm() {
    const lengths = this.marks.calipers.map((line) => lengthMm(line, this.calibration));
    return lengths.filter((length) => length !== null).sort((one, other) => other - one);
  }

  /** @param {Line} line */
  lengthText(line) {
    const mm = lengthMm(line, this.calibration);
    if (mm !== null) return t("common.mm", { value: mm.toFixed(1) });
    return t("viewer.pixels", { n: Math.round(Math.hypot(line[1][0] - line[0][0], line[1][1] - line[0][1])) });
  }

  // ---- SERA's own outlines as proposals

  // The outlines take the place of those proposed before. They are no marks, and are not undone.
  /** @param {Point[][]} outlines */
  propose(outlines) {
    this.proposals = outlines;
    if (outlines.length) this.say(t("viewer.proposal.there"));
    this.showProposalActions();
    this.redraw();
  }

  // The proposal becomes the reader's outline, as it is; its points can be moved.
  acceptProposal(index = 0) {
    const proposal = this.proposals[index];
    if (!proposal) return false;
    this.proposals = [];
    this.setMarks({ polygon: proposal, box: null });
    this.commit();
    this.useTool("polygon");
    return true;
  }

  /** @param {Point} point @returns {boolean} whether there was a proposal to accept */
  acceptAt(point) { return this.acceptProposal(this.proposals.findIndex((outline) => encloses(outline, point))); }

  /** @param {Point} point */
  async outlineAt(point) {
    if (!this.options.onOutlineAt) return;
    this.say(t("viewer.proposal.looking"));
    try {
      const outline = await this.options.onOutlineAt(point);
      if (outline) this.propose([outline]);
      else this.say(t("viewer.proposal.none"));
    } catch (problem) {
      this.say(problem.message);
    }
  }

  showProposalActions() {
    const outlines = this.proposals;
    this.proposal.hidden = !outlines.length;
    const name = (index) => (outlines.length > 1 ? t("viewer.proposal.accept_one", { number: index + 1 }) : t("viewer.proposal.accept"));
    const accepts = outlines.map((_, index) => this.proposalButton(name(index), () => this.acceptProposal(index)));
    this.proposal.replaceChildren(...accepts, this.proposalButton(t("viewer.proposal.discard"), () => this.propose([])));
  }

  proposalButton(textContent, press) {
    const button = make("button", { type: "button", textContent });
    button.addEventListener("click", () => { press(); this.canvas.focus({ preventScroll: true }); });
    return button;
  }

  // ---- areas to blacken

  /** @param {Box | null} box */
  setCover(box) {
    this.cover = box;
    this.redraw();
  }

  // ---- layers

  toggleOutlines() {
    if (!this.outlines.length) return false;
    this.showsOutlines = !this.showsOutlines;
    this.say(t(this.showsOutlines ? "viewer.said.outlines_on" : "viewer.said.outlines_off"));
    return this.redraw();
  }

  toggleMap() { return this.options.onMap ? this.options.onMap() : false; }

  // `isOpen`: whether the map is asked for; there may be none yet.
  /** @param {ExplanationMap | null} map */
  setMap(map, isOpen = map !== null) {
    if (isOpen !== this.showsMap) this.say(t(isOpen ? "viewer.said.map_on" : "viewer.said.map_off"));
    this.map = map;
    this.showsMap = isOpen;
    this.redraw();
  }

  // ---- the cross of the keyboard, and the loupe

  /** @returns {Point} */
  showCross() {
    this.cross ??= this.viewport.inside(this.viewport.toImage(this.viewport.middle));
    this.redraw();
    return this.cross;
  }

  moveCross([right, down], isFast) {
    const [x, y] = this.showCross(), by = (isFast ? 16 : 4) / this.viewport.scale;
    this.cross = this.viewport.inside([x + right * by, y + down * by]);
    this.redraw();
    return true;
  }

  /** @param {Point | null} finger */
  showLoupe(finger) {
    this.finger = finger;
    this.redraw();
  }

  // Tells screen readers, once the reader pauses.
  /** @param {string} text */
  say(text) {
    clearTimeout(this.sayTimer);
    this.sayTimer = setTimeout(() => { this.status.textContent = text; }, SAY_AFTER_MS);
  }

  // ---- drawing

  redraw() {
    if (this.isDrawing) return;
    this.isDrawing = true;
    requestAnimationFrame(() => { this.isDrawing = false; this.draw(); });
  }

  draw() {
    const pen = this.canvas.getContext("2d");
    if (!this.isReady || !pen) return;
    if (this.areGreysStale) this.applyGreys();
    const { viewport } = this, dense = devicePixelRatio || 1;
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, viewport.width, viewport.height);
    pen.imageSmoothingEnabled = viewport.scale < SMOOTH_UP_TO;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(this.shown, viewport.x, viewport.y, viewport.imageWidth * viewport.scale, viewport.imageHeight * viewport.scale);
    this.drawLayers(pen);
    this.drawMarks(pen);
    if (this.finger) drawLoupe(pen, viewport, this.shown, this.finger);
    this.updateReadout();
    this.toolbar.update();
  }

  applyGreys() {
    const { width, height } = this.source, pixels = this.source.getContext("2d")?.getImageData(0, 0, width, height);
    Object.assign(this.shown, { width, height });
    if (pixels) this.shown.getContext("2d")?.putImageData(this.greys.isPlain ? pixels : mapGreys(pixels, this.greys.table), 0, 0);
    this.areGreysStale = false;
  }

  /** @param {CanvasRenderingContext2D} pen */
  drawLayers(pen) {
    if (this.map) drawMap(pen, this.viewport, this.map);
    if (this.showsOutlines) for (const { points, style } of this.outlines) drawOutline(pen, this.viewport, points, style);
  }

  /** @param {CanvasRenderingContext2D} pen */
  drawMarks(pen) {
    const { viewport, marks, tools } = this, { box, polygon, calipers } = marks, { proposals } = this;
    proposals.forEach((outline, index) => drawProposal(pen, viewport, outline, proposals.length > 1 ? String(index + 1) : ""));
    if (box) drawBox(pen, viewport, box);
    if (polygon) drawOutline(pen, viewport, polygon, "own");
    if (polygon && this.toolName === "polygon") drawHandles(pen, editable(polygon).map((point) => viewport.toScreen(point)));
    if (this.cover) drawCover(pen, viewport, this.cover);
    drawOpenOutline(pen, viewport, tools.polygon.drawn);
    const active = this.toolName === "caliper" ? tools.caliper.active : null;
    calipers.forEach((line, index) => drawCaliper(pen, viewport, line, this.lengthText(line), active?.caliper === index ? active.end : null));
    if (this.cross) drawCross(pen, viewport, this.cross);
  }

  updateReadout() {
    const { window, level } = this.greys;
    const text = t("viewer.readout", { zoom: Math.round(100 * this.viewport.scale), window, level });
    if (this.readout.textContent !== text) this.readout.textContent = text;
  }
}
