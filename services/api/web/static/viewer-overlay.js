// Draws what lies over the image: the map, outlines, the box, calipers, the cross and the loupe.

import { corners } from "./geometry.js";

/**
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {import("./geometry.js").Line} Line
 * @typedef {import("./viewport.js").Viewport} Viewport
 * @typedef {CanvasRenderingContext2D} Pen
 */

const YELLOW = "#ffd60a", CYAN = "#5ce1ff", BLACK = "#000";
const HANDLE_PX = 5, CROSS_PX = 14, TEXT_PX = 14;
const LOUPE_RADIUS_PX = 60, LOUPE_ZOOM = 2.5, LOUPE_DISTANCE_PX = 100;
// `read`: the outline that was read; `given`: the reader's own region beside it; `proposal`: to be accepted or corrected.
const STYLES = {
  read: { color: YELLOW, dash: [] },
  given: { color: CYAN, dash: [6, 5] },
  own: { color: YELLOW, dash: [] },
  proposal: { color: CYAN, dash: [7, 4] },
};

// A line with a dark halo, so that it is seen on white and on black.
/** @param {Pen} pen @param {string} color @param {number[]} [dash] */
function strokeTwice(pen, color, dash = []) {
  for (const [strokeStyle, lineWidth] of /** @type {[string, number][]} */ ([["rgb(0 0 0 / .65)", 4.5], [color, 2]])) {
    Object.assign(pen, { strokeStyle, lineWidth, lineJoin: "round" });
    pen.setLineDash(lineWidth === 2 ? dash : []);
    pen.stroke();
  }
  pen.setLineDash([]);
}

/** @param {Pen} pen @param {readonly Point[]} points @param {boolean} isClosed */
function tracePath(pen, points, isClosed) {
  pen.beginPath();
  points.forEach(([x, y], index) => (index ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  if (isClosed) pen.closePath();
}

/** @param {Pen} pen @param {Viewport} viewport @param {readonly Point[]} outline @param {keyof typeof STYLES} style */
export function drawOutline(pen, viewport, outline, style) {
  const { color, dash } = STYLES[style];
  tracePath(pen, outline.map((point) => viewport.toScreen(point)), true);
  strokeTwice(pen, color, dash);
}

// A proposal, with its number where there are several.
/** @param {Pen} pen @param {Viewport} viewport @param {readonly Point[]} outline @param {string} number */
export function drawProposal(pen, viewport, outline, number) {
  drawOutline(pen, viewport, outline, "proposal");
  const [x, y] = outline.reduce((top, point) => (point[1] < top[1] ? point : top));
  const [left, above] = viewport.toScreen([x, y]);
  drawText(pen, [left - 4, above - 8], number, viewport);
}

// An area that is to be blackened.
/** @param {Pen} pen @param {Viewport} viewport @param {Box} box */
export function drawCover(pen, viewport, box) {
  tracePath(pen, corners(box).map((point) => viewport.toScreen(point)), true);
  pen.fillStyle = BLACK;
  pen.fill();
  strokeTwice(pen, "#fff", [3, 3]);
}

// The outline that is being drawn, with its points.
/** @param {Pen} pen @param {Viewport} viewport @param {readonly Point[]} points */
export function drawOpenOutline(pen, viewport, points) {
  if (!points.length) return;
  const onScreen = points.map((point) => viewport.toScreen(point));
  tracePath(pen, onScreen, false);
  strokeTwice(pen, YELLOW);
  drawHandles(pen, [onScreen[0], onScreen[onScreen.length - 1]]);
}

/** @param {Pen} pen @param {readonly Point[]} points  on the screen */
export function drawHandles(pen, points) {
  for (const [x, y] of points) {
    pen.beginPath();
    pen.arc(x, y, HANDLE_PX, 0, 2 * Math.PI);
    Object.assign(pen, { fillStyle: YELLOW, strokeStyle: BLACK, lineWidth: 1.5 });
    pen.fill();
    pen.stroke();
  }
}

/** @param {Pen} pen @param {Viewport} viewport @param {Box} box */
export function drawBox(pen, viewport, box) {
  const onScreen = corners(box).map((point) => viewport.toScreen(point));
  tracePath(pen, onScreen, true);
  strokeTwice(pen, YELLOW);
  drawHandles(pen, onScreen);
}

/** @param {Pen} pen @param {Viewport} viewport @param {Line} line @param {string} text @param {number | null} activeEnd */
export function drawCaliper(pen, viewport, line, text, activeEnd) {
  const ends = line.map((end) => viewport.toScreen(end));
  tracePath(pen, ends, false);
  strokeTwice(pen, CYAN, [2, 4]);
  ends.forEach((end, index) => drawPlus(pen, end, index === activeEnd));
  const [x, y] = ends[0][0] > ends[1][0] ? ends[0] : ends[1];
  drawText(pen, [x + 12, y + 5], text, viewport);
}

/** @param {Pen} pen @param {Point} point @param {boolean} isActive */
function drawPlus(pen, [x, y], isActive) {
  pen.beginPath();
  pen.moveTo(x - 7, y);
  pen.lineTo(x + 7, y);
  pen.moveTo(x, y - 7);
  pen.lineTo(x, y + 7);
  if (isActive) {
    pen.moveTo(x + 11, y);
    pen.arc(x, y, 11, 0, 2 * Math.PI);
  }
  strokeTwice(pen, CYAN);
}

// The text keeps inside the screen.
/** @param {Pen} pen @param {Point} at @param {string} text @param {Viewport} viewport */
function drawText(pen, [x, y], text, viewport) {
  pen.font = `600 ${TEXT_PX}px system-ui, sans-serif`;
  const width = pen.measureText(text).width;
  const left = Math.max(Math.min(x, viewport.width - width - 6), 6);
  const baseline = Math.max(Math.min(y, viewport.height - 6), TEXT_PX);
  Object.assign(pen, { strokeStyle: "rgb(0 0 0 / .8)", lineWidth: 4, lineJoin: "round", fillStyle: CYAN });
  pen.strokeText(text, left, baseline);
  pen.fillText(text, left, baseline);
}

// The cross that the arrow keys move.
/** @param {Pen} pen @param {Viewport} viewport @param {Point} point */
export function drawCross(pen, viewport, point) {
  const [x, y] = viewport.toScreen(point);
  pen.beginPath();
  for (const [right, down] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    pen.moveTo(x + right * 4, y + down * 4);
    pen.lineTo(x + right * CROSS_PX, y + down * CROSS_PX);
  }
  strokeTwice(pen, CYAN);
}

/** @param {Pen} pen @param {Viewport} viewport @param {{image: CanvasImageSource, box: Box, opacity: number}} map */
export function drawMap(pen, viewport, { image, box, opacity }) {
  const [x, y] = viewport.toScreen([box[0], box[1]]);
  pen.save();
  pen.globalAlpha = opacity;
  pen.imageSmoothingEnabled = true;
  pen.drawImage(image, x, y, box[2] * viewport.scale, box[3] * viewport.scale);
  pen.restore();
  tracePath(pen, corners(box).map((point) => viewport.toScreen(point)), true);
  Object.assign(pen, { strokeStyle: "#fff", lineWidth: 1 });
  pen.setLineDash([4, 4]);
  pen.stroke();
  pen.setLineDash([]);
}

// A magnified circle above a finger, or below it at the upper edge, with a cross at the touched point.
/** @param {Pen} pen @param {Viewport} viewport @param {CanvasImageSource} image @param {Point} finger  on the screen */
export function drawLoupe(pen, viewport, image, finger) {
  const above = finger[1] - LOUPE_DISTANCE_PX, isBelow = above < LOUPE_RADIUS_PX;
  const x = Math.min(Math.max(finger[0], LOUPE_RADIUS_PX + 2), viewport.width - LOUPE_RADIUS_PX - 2);
  const y = isBelow ? finger[1] + LOUPE_DISTANCE_PX : above;
  const [pointX, pointY] = viewport.toImage(finger), scale = viewport.scale * LOUPE_ZOOM;
  pen.save();
  pen.beginPath();
  pen.arc(x, y, LOUPE_RADIUS_PX, 0, 2 * Math.PI);
  pen.clip();
  pen.fillStyle = BLACK;
  pen.fill();
  pen.drawImage(image, x - pointX * scale, y - pointY * scale, viewport.imageWidth * scale, viewport.imageHeight * scale);
  pen.restore();
  pen.beginPath();
  pen.arc(x, y, LOUPE_RADIUS_PX, 0, 2 * Math.PI);
  strokeTwice(pen, "#fff");
  drawPlus(pen, [x, y], false);
}
