// The tools of the viewer: what the pointer and the keys do with the image. Each edits the viewer's view, greys or marks.

import { boxBetween, boxInside, contains, corners, distance, edgeAt, editable, nearest, simplified } from "./geometry.js";
import { letter } from "./keys.js";

/**
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {import("./geometry.js").Line} Line
 * @typedef {import("./viewer.js").Viewer} Viewer
 * @typedef {{point: Point, movedBy: Point, reach: number}} Gesture
 *   point: in the image; movedBy: screen pixels since the last event; reach: how near counts as touched, in image pixels
 */

export const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const PAN_STEP_PX = 40, WINDOW_STEP = 4, FAST = 4;
// Shorter drags are slips of a click.
const MIN_DRAG_PX = 4;
const MAX_CALIPERS = 2;
// Points of a drawn outline that are nearer to each other are left out.
const TRACE_STEP_PX = 3;

const isSet = (event) => event.key === "Enter" || event.key === " ";
const isRemove = (event) => event.key === "Delete" || event.key === "Backspace";

export class Tool {
  cursor = "default";
  // Whether the pointer places something that a finger would hide.
  isPrecise = false;

  /** @param {Viewer} viewer */
  constructor(viewer) { this.viewer = viewer; }

  /** @param {Gesture} _gesture */
  press(_gesture) {}
  /** @param {Gesture} _gesture */
  drag(_gesture) {}
  release() {}
  // A press without a drag, after `release`.
  /** @param {Point} point */
  tap(point) { this.viewer.acceptAt(point); }
  // The gesture became a pinch, or the reader chose another tool.
  cancel() {}
  /** @param {KeyboardEvent} _event @returns {boolean} whether the key was used */
  key(_event) { return false; }
}

export class MoveTool extends Tool {
  cursor = "grab";

  /** @param {Gesture} gesture */
  drag({ movedBy }) { this.viewer.pan(movedBy[0], movedBy[1]); }

  key(event) {
    const step = STEPS[event.key];
    if (!step) return false;
    const distancePx = PAN_STEP_PX * (event.shiftKey ? FAST : 1);
    this.viewer.pan(-step[0] * distancePx, -step[1] * distancePx);
    return true;
  }
}

export class WindowTool extends Tool {
  cursor = "ns-resize";

  /** @param {Gesture} gesture */
  drag({ movedBy }) { this.viewer.changeGreys((greys) => greys.drag(movedBy[0], movedBy[1])); }

  key(event) {
    const step = STEPS[event.key];
    if (!step) return false;
    const change = WINDOW_STEP * (event.shiftKey ? FAST : 1);
    this.viewer.changeGreys((greys) => greys.drag(step[0] * change, step[1] * change));
    return true;
  }
}

export class BoxTool extends Tool {
  cursor = "crosshair";
  isPrecise = true;
  /** @type {{start: Point, before: Box | null, moving?: Box, fixed?: Point} | null} */
  grip = null;

  /** @param {Gesture} gesture */
  press({ point, reach }) {
    const { box } = this.viewer.marks;
    const ends = box ? corners(box) : [], touched = nearest(ends, point, reach);
    const isMoved = box && touched < 0 && contains(box, point);
    const grip = isMoved ? { moving: box } : { fixed: touched < 0 ? point : ends[(touched + 2) % 4] };
    this.grip = { start: point, before: box, ...grip };
  }

  /** @param {Gesture} gesture */
  drag({ point }) {
    if (!this.grip) return;
    const { moving, fixed, start } = this.grip;
    if (moving) return this.set([moving[0] + point[0] - start[0], moving[1] + point[1] - start[1], moving[2], moving[3]]);
    const drawn = boxBetween(/** @type {Point} */ (fixed), point);
    if (Math.min(drawn[2], drawn[3]) >= MIN_DRAG_PX) this.set(drawn);
  }

  release() {
    this.grip = null;
    this.viewer.commit();
  }

  cancel() {
    if (this.grip) this.viewer.setMarks({ box: this.grip.before });
    this.grip = null;
  }

  /** @param {Box} box */
  set(box) {
    const { imageWidth, imageHeight } = this.viewer.viewport;
    this.viewer.setMarks({ box: boxInside(box, imageWidth, imageHeight), polygon: null });
  }

  // Enter sets a box in the middle, arrows move it, Shift and arrows resize it.
  key(event) {
    const { box } = this.viewer.marks, step = STEPS[event.key];
    if (isRemove(event) && box) this.viewer.setMarks({ box: null });
    else if (isSet(event) && !box && this.viewer.acceptProposal()) return true;
    else if (isSet(event) && !box) this.set(this.middle());
    else if (step && box) this.set(this.stepped(box, step, event.shiftKey));
    else return false;
    this.viewer.commit();
    return true;
  }

  /** @returns {Box} */
  middle() {
    const { imageWidth, imageHeight } = this.viewer.viewport;
    return [imageWidth / 4, imageHeight / 4, imageWidth / 2, imageHeight / 2];
  }

  /** @param {Box} box @param {number[]} step @param {boolean} isResized @returns {Box} */
  stepped([x, y, width, height], [right, down], isResized) {
    const { imageWidth, imageHeight } = this.viewer.viewport, by = Math.max(Math.round(imageWidth / 100), 1);
    if (!isResized) return [x + right * by, y + down * by, width, height];
    return [x, y, Math.min(width + right * by, imageWidth - x), Math.min(height + down * by, imageHeight - y)];
  }
}

export class PolygonTool extends Tool {
  cursor = "crosshair";
  isPrecise = true;
  /** @type {Point[]} the points so far of an outline that is not closed */
  drawn = [];
  /** @type {{index: number} | null} the point of the closed outline that is moved */
  moved = null;
  isTraced = false;

  tap() {}

  /** @param {Gesture} gesture */
  press({ point, reach }) {
    const outline = this.viewer.marks.polygon;
    if (!this.drawn.length && outline && this.grab(editable(outline), point, reach)) return;
    if (this.drawn.length > 2 && nearest([this.drawn[0]], point, reach) === 0) return this.close();
    this.drawn = [...this.drawn, point];
    this.viewer.redraw();
  }

  // Touches a point of the outline, or puts one on its edge.
  /** @param {Point[]} outline @param {Point} point @param {number} reach */
  grab(outline, point, reach) {
    const touched = nearest(outline, point, reach), edge = touched < 0 ? edgeAt(outline, point, reach / 2) : -1;
    const index = touched >= 0 ? touched : edge;
    const changed = edge >= 0 ? outline.toSpliced(edge, 0, point) : outline;
    if (index >= 0 && changed !== this.viewer.marks.polygon) this.viewer.setMarks({ polygon: changed });
    this.moved = index >= 0 ? { index } : null;
    return index >= 0;
  }

  /** @param {Gesture} gesture */
  drag({ point }) {
    const { polygon } = this.viewer.marks;
    const inside = this.viewer.viewport.inside(point);
    if (this.moved && polygon) return this.viewer.setMarks({ polygon: polygon.with(this.moved.index, inside) });
    const last = this.drawn.at(-1);
    if (!last || distance(last, inside) * this.viewer.viewport.scale < TRACE_STEP_PX) return;
    this.isTraced = true;
    this.drawn = [...this.drawn, inside];
    this.viewer.redraw();
  }

  release() {
    if (this.moved) this.viewer.commit();
    else if (this.isTraced && this.drawn.length > 2) this.close();
    this.moved = null;
    this.isTraced = false;
  }

  close() {
    const tolerance = Math.max(1.5 / this.viewer.viewport.scale, 0.5);
    const polygon = this.isTraced ? simplified(this.drawn, tolerance) : this.drawn;
    this.drawn = [];
    if (polygon.length > 2) this.viewer.setMarks({ polygon, box: null });
    this.viewer.commit();
  }

  cancel() {
    this.drawn = [];
    this.isTraced = false;
    this.moved = null;
    this.viewer.redraw();
  }

  // Arrows move the cross; Enter sets a point there, and closes the outline at its first or last point.
  key(event) {
    const { viewer } = this, last = this.drawn.at(-1);
    if (isRemove(event)) return this.removeLast();
    if (STEPS[event.key]) return viewer.moveCross(STEPS[event.key], event.shiftKey);
    if (event.key === "Escape" && this.drawn.length) return this.cancel() ?? true;
    if (!isSet(event)) return false;
    const point = viewer.showCross(), ends = [this.drawn[0], last];
    if (this.drawn.length > 2 && ends.some((end) => end && distance(end, point) < 1)) this.close();
    else if (!last || distance(last, point) >= 1) this.drawn = [...this.drawn, point];
    viewer.redraw();
    return true;
  }

  removeLast() {
    if (this.drawn.length) this.drawn = this.drawn.slice(0, -1);
    else if (this.viewer.marks.polygon) this.viewer.setMarks({ polygon: null });
    else return false;
    this.viewer.commit();
    return true;
  }
}

export class CaliperTool extends Tool {
  cursor = "crosshair";
  isPrecise = true;
  /** @type {{caliper: number, end: number} | null} the end that is moved, or that the arrows move */
  active = null;
  /** @type {Line[]} */
  before = [];
  startedAt = /** @type {Point | null} */ (null);

  tap() {}

  /** @param {Gesture} gesture */
  press({ point, reach }) {
    const { calipers } = this.viewer.marks;
    this.before = calipers;
    const ends = calipers.flat(), touched = nearest(ends, point, reach);
    if (touched >= 0) {
      this.active = { caliper: Math.floor(touched / 2), end: touched % 2 };
      return;
    }
    this.startedAt = point;
    this.add([point, point]);
  }

  // A third caliper replaces the first.
  /** @param {Line} line */
  add(line) {
    const calipers = [...this.viewer.marks.calipers, line].slice(-MAX_CALIPERS);
    this.active = { caliper: calipers.length - 1, end: 1 };
    this.viewer.setMarks({ calipers });
  }

  /** @param {Gesture} gesture */
  drag({ point }) { this.moveEnd(() => this.viewer.viewport.inside(point)); }

  /** @param {(end: Point) => Point} change */
  moveEnd(change) {
    const { calipers } = this.viewer.marks;
    if (!this.active || !calipers[this.active.caliper]) return;
    const { caliper, end } = this.active, line = calipers[caliper];
    const moved = /** @type {Line} */ (line.with(end, change(line[end])));
    this.viewer.setMarks({ calipers: calipers.with(caliper, moved) });
  }

  release() {
    const added = this.startedAt ? this.viewer.marks.calipers.at(-1) : null;
    const isSlip = added && distance(added[0], added[1]) * this.viewer.viewport.scale < MIN_DRAG_PX;
    if (isSlip) this.cancel();
    this.startedAt = null;
    this.viewer.commit();
  }

  cancel() {
    if (this.startedAt) this.viewer.setMarks({ calipers: this.before });
    this.startedAt = null;
  }

  // Enter adds a caliper in the middle of the view; then arrows move one end, and Enter goes on to the other end.
  key(event) {
    const { calipers } = this.viewer.marks, step = STEPS[event.key];
    if (letter(event) === "a") this.addInView();
    else if (isSet(event)) this.nextEnd(calipers);
    else if (isRemove(event) && calipers.length) this.remove(calipers);
    else if (step && calipers.length) this.step(step, event.shiftKey);
    else return false;
    this.viewer.commit();
    return true;
  }

  addInView() {
    const { viewport } = this.viewer, { width, height } = viewport;
    const ends = [[width * 0.35, height / 2], [width * 0.65, height / 2]];
    const line = ends.map((end) => viewport.inside(viewport.toImage(/** @type {Point} */ (end))));
    this.add(/** @type {Line} */ (line));
  }

  /** @param {Line[]} calipers */
  nextEnd(calipers) {
    if (!calipers.length) return this.addInView();
    const { caliper, end } = this.active ?? { caliper: 0, end: 1 };
    const next = (caliper * 2 + end + 1) % (calipers.length * 2);
    this.active = { caliper: Math.floor(next / 2), end: next % 2 };
    this.viewer.redraw();
  }

  /** @param {Line[]} calipers */
  remove(calipers) {
    this.viewer.setMarks({ calipers: calipers.toSpliced(this.active?.caliper ?? calipers.length - 1, 1) });
    this.active = null;
  }

  step(step, isFast) {
    this.active ??= { caliper: 0, end: 1 };
    const by = (isFast ? FAST : 1) * Math.max(1 / this.viewer.viewport.scale, 0.25);
    this.moveEnd(([x, y]) => this.viewer.viewport.inside([x + step[0] * by, y + step[1] * by]));
  }
}

// A click on the nodule asks the page for an outline there, which becomes a proposal; another click accepts it.
export class ClickTool extends Tool {
  cursor = "cell";
  isPrecise = true;

  /** @param {Point} point */
  tap(point) { if (!this.viewer.acceptAt(point)) this.viewer.outlineAt(point); }

  key(event) {
    if (STEPS[event.key]) return this.viewer.moveCross(STEPS[event.key], event.shiftKey);
    if (!isSet(event)) return false;
    this.tap(this.viewer.showCross());
    return true;
  }
}

// An area with burnt-in text is drawn, which the page has blackened.
export class CoverTool extends Tool {
  cursor = "crosshair";
  isPrecise = true;
  /** @type {Point | null} */
  start = null;

  tap() {}

  /** @param {Gesture} gesture */
  press({ point }) { this.start = point; }

  /** @param {Gesture} gesture */
  drag({ point }) { if (this.start) this.viewer.setCover(boxBetween(this.start, point)); }

  release() {
    this.start = null;
    this.send();
  }

  cancel() {
    this.start = null;
    this.viewer.setCover(null);
  }

  // Arrows move the cross; Enter sets the first corner, and again the opposite one.
  key(event) {
    const { viewer } = this;
    if (isSet(event)) return this.setCorner(viewer.showCross());
    if (!STEPS[event.key]) return false;
    viewer.moveCross(STEPS[event.key], event.shiftKey);
    if (this.start && viewer.cross) viewer.setCover(boxBetween(this.start, viewer.cross));
    return true;
  }

  /** @param {Point} point */
  setCorner(point) {
    if (this.start) this.release();
    else this.start = point;
    return true;
  }

  // Areas that are too small are slips.
  send() {
    const { cover, options } = this.viewer;
    if (cover && Math.min(cover[2], cover[3]) >= MIN_DRAG_PX) options.onCover?.(cover);
    else this.viewer.setCover(null);
  }
}

/** @param {Viewer} viewer */
export const makeTools = (viewer) => ({
  move: new MoveTool(viewer),
  window: new WindowTool(viewer),
  box: new BoxTool(viewer),
  polygon: new PolygonTool(viewer),
  caliper: new CaliperTool(viewer),
  click: new ClickTool(viewer),
  cover: new CoverTool(viewer),
});

/** @typedef {keyof ReturnType<typeof makeTools>} ToolName */
