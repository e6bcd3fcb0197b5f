// What pointers, wheel and keys on the viewer's canvas do.

import { distance } from "./geometry.js";
import { letter } from "./keys.js";

/**
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {import("./viewer.js").Viewer} Viewer
 */

const MOUSE_REACH_PX = 10, FINGER_REACH_PX = 22;
const WHEEL_RATE = 0.0015, TRACKPAD_PINCH_RATE = 0.01, MAX_WHEEL_PX = 200;
const MIDDLE_BUTTON = 1, RIGHT_BUTTON = 2;
const KEY_ZOOM = 1.25;
// A press that moves less is a tap.
const TAP_PX = 4;

export class PointerInput {
  /** @type {Map<number, Point>} the pointers that are down, on the screen */
  down = new Map();
  /** @type {import("./viewer-tools.js").Tool | null} the tool of the present gesture */
  tool = null;
  /** @type {Point | null} where the present gesture began, on the screen, as long as it may be a tap */
  tapAt = null;

  /** @param {Viewer} viewer @param {HTMLCanvasElement} canvas */
  constructor(viewer, canvas) {
    this.viewer = viewer;
    this.canvas = canvas;
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.release(event));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("dblclick", (event) => viewer.toggleFit(this.at(event)));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  /** @returns {Point} */
  at(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  press(event) {
    if (!this.viewer.isReady || this.down.size === 2) return;
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.down.set(event.pointerId, this.at(event));
    if (this.down.size === 2) return this.startPinch();
    const tool = this.toolOf(event.button);
    this.tool = tool;
    this.tapAt = event.button ? null : this.at(event);
    tool.press(this.gesture(event, [0, 0]));
    this.showLoupe(event);
  }

  toolOf(button) {
    const { move, window } = this.viewer.tools;
    if (button === MIDDLE_BUTTON) return move;
    return button === RIGHT_BUTTON ? window : this.viewer.tool;
  }

  startPinch() {
    this.tool?.cancel();
    this.tool = null;
    this.tapAt = null;
    this.viewer.showLoupe(null);
  }

  move(event) {
    const before = this.down.get(event.pointerId), at = this.at(event);
    if (!before) return;
    if (this.down.size === 2) return this.pinch(event.pointerId, at);
    this.down.set(event.pointerId, at);
    if (this.tapAt && distance(this.tapAt, at) > TAP_PX) this.tapAt = null;
    this.tool?.drag(this.gesture(event, [at[0] - before[0], at[1] - before[1]]));
    this.showLoupe(event);
  }

  // Two fingers zoom about their middle and move the image with it.
  /** @param {number} pointerId @param {Point} at */
  pinch(pointerId, at) {
    const before = spread([...this.down.values()]);
    this.down.set(pointerId, at);
    const after = spread([...this.down.values()]);
    this.viewer.pinch(before, after);
  }

  release(event) {
    if (!this.down.delete(event.pointerId)) return;
    const { tool, tapAt, viewer } = this;
    if (event.type === "pointercancel") tool?.cancel();
    else tool?.release();
    if (event.type !== "pointercancel" && tapAt) tool?.tap(viewer.viewport.inside(viewer.viewport.toImage(tapAt)));
    this.tool = null;
    this.tapAt = null;
    this.viewer.showLoupe(null);
  }

  /** @param {any} event @param {Point} movedBy */
  gesture(event, movedBy) {
    const { viewport } = this.viewer, reach = event.pointerType === "mouse" ? MOUSE_REACH_PX : FINGER_REACH_PX;
    return { point: viewport.inside(viewport.toImage(this.at(event))), movedBy, reach: reach / viewport.scale };
  }

  showLoupe(event) {
    if (event.pointerType === "touch" && this.tool?.isPrecise) this.viewer.showLoupe(this.at(event));
  }

  wheel(event) {
    if (!this.viewer.isReady) return;
    event.preventDefault();
    const scrolled = Math.min(Math.max(event.deltaY * (event.deltaMode ? 16 : 1), -MAX_WHEEL_PX), MAX_WHEEL_PX);
    this.viewer.zoomBy(Math.exp(-scrolled * (event.ctrlKey ? TRACKPAD_PINCH_RATE : WHEEL_RATE)), this.at(event));
  }
}

/** @typedef {{middle: Point, length: number}} Spread */

/** @param {Point[]} points @returns {Spread} */
function spread([[x1, y1], [x2, y2]]) {
  return { middle: [(x1 + x2) / 2, (y1 + y2) / 2], length: Math.hypot(x2 - x1, y2 - y1) };
}

// The shortcuts by key. They leave out the letters and digits that a page for reading needs.
/** @type {Record<string, (viewer: Viewer) => unknown>} */
const SHORTCUTS = {
  v: (viewer) => viewer.useTool("move"),
  w: (viewer) => viewer.useTool("window"),
  r: (viewer) => viewer.useTool("box"),
  o: (viewer) => viewer.useTool("polygon"),
  c: (viewer) => viewer.useTool("caliper"),
  k: (viewer) => viewer.useTool("click"),
  e: (viewer) => viewer.useTool("cover"),
  "+": (viewer) => viewer.zoomBy(KEY_ZOOM),
  "=": (viewer) => viewer.zoomBy(KEY_ZOOM),
  "-": (viewer) => viewer.zoomBy(1 / KEY_ZOOM),
  Home: (viewer) => viewer.fit(),
  End: (viewer) => viewer.showOneToOne(),
  i: (viewer) => viewer.changeGreys((greys) => greys.invert()),
  g: (viewer) => viewer.useNextPreset(),
  d: (viewer) => viewer.resetView(),
  h: (viewer) => viewer.toggleOutlines(),
  x: (viewer) => viewer.toggleMap(),
  u: (viewer) => viewer.undo(),
  y: (viewer) => viewer.acceptProposal(),
  Enter: (viewer) => viewer.acceptProposal(),
  ",": (viewer) => viewer.frames.step(-1),
  ".": (viewer) => viewer.frames.step(1),
  " ": (viewer) => viewer.frames.togglePlay(),
  Escape: (viewer) => viewer.useTool("move"),
};

/** @param {Viewer} viewer @param {HTMLElement} canvas */
export function listenToKeys(viewer, canvas) {
  canvas.addEventListener("keydown", (event) => {
    if (!viewer.isReady || event.altKey || event.isComposing) return;
    const isUsed = event.ctrlKey || event.metaKey ? useEditKey(viewer, event) : useKey(viewer, event);
    if (!isUsed) return;
    event.preventDefault();
    event.stopPropagation();
  });
}

function useEditKey(viewer, event) {
  const key = letter(event), isRedo = key === "y" || (key === "z" && event.shiftKey);
  if (isRedo) viewer.redo();
  else if (key === "z") viewer.undo();
  return isRedo || key === "z";
}

// Frames step by the arrows while nothing can be moved; else the tool has its keys first, then the shortcuts.
function useKey(viewer, event) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key], stepsFrames = step && viewer.frames.count > 1 && viewer.toolName === "move" && viewer.viewport.showsAll;
  if (stepsFrames) viewer.frames.step(step);
  if (stepsFrames || viewer.tool.key(event)) return true;
  const shortcut = SHORTCUTS[letter(event)];
  return shortcut ? shortcut(viewer) !== false : false;
}
