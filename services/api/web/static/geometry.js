// Boxes, outlines and distances on an image. All coordinates are pixels of the image.

/**
 * @typedef {import("./viewport.js").Point} Point
 * @typedef {[number, number, number, number]} Box  x, y, width, height
 * @typedef {[Point, Point]} Line
 * @typedef {{rowMm: number, columnMm: number, box: Box}} Calibration  mm per row and per column within the box
 */

export const MIN_SIDE_PX = 8;
// An outline with more points is thinned before its points are moved, as they would lie too near to each other.
const MAX_HANDLES = 24, LEAST_TOLERANCE_PX = 0.5;

const clamp = (value, min, max) => Math.min(Math.max(value, min), max);

/** @param {Point} first @param {Point} second */
export const distance = ([x1, y1], [x2, y2]) => Math.hypot(x2 - x1, y2 - y1);

// The box in whole pixels, at least MIN_SIDE_PX wide and high, inside the image.
/** @param {Box} box @param {number} imageWidth @param {number} imageHeight @returns {Box} */
export function boxInside([x, y, width, height], imageWidth, imageHeight) {
  const boxWidth = clamp(Math.round(width), MIN_SIDE_PX, imageWidth);
  const boxHeight = clamp(Math.round(height), MIN_SIDE_PX, imageHeight);
  return [clamp(Math.round(x), 0, imageWidth - boxWidth), clamp(Math.round(y), 0, imageHeight - boxHeight), boxWidth, boxHeight];
}

/** @param {Point} first @param {Point} second @returns {Box} */
export function boxBetween([x1, y1], [x2, y2]) {
  return [Math.min(x1, x2), Math.min(y1, y2), Math.abs(x2 - x1), Math.abs(y2 - y1)];
}

/** @param {Box} box @returns {Point[]} clockwise from the upper left */
export function corners([x, y, width, height]) {
  return [[x, y], [x + width, y], [x + width, y + height], [x, y + height]];
}

/** @param {Box} box @param {Point} point */
export function contains([left, top, width, height], [x, y]) {
  return x >= left && y >= top && x <= left + width && y <= top + height;
}

/** @param {readonly Point[]} outline @param {Point} point */
export function encloses(outline, [x, y]) {
  let isInside = false;
  outline.forEach(([x1, y1], index) => {
    const [x2, y2] = outline[(index + 1) % outline.length];
    if (y1 > y !== y2 > y && x < x1 + ((y - y1) / (y2 - y1)) * (x2 - x1)) isInside = !isInside;
  });
  return isInside;
}

// The index of the nearest of the points within reach; -1 if there is none.
/** @param {readonly Point[]} points @param {Point} point @param {number} reach */
export function nearest(points, point, reach) {
  const distances = points.map((candidate) => distance(candidate, point));
  const least = Math.min(...distances);
  return least <= reach ? distances.indexOf(least) : -1;
}

// The index at which a point on the outline's edge is inserted; -1 if no edge is within reach.
/** @param {readonly Point[]} outline @param {Point} point @param {number} reach */
export function edgeAt(outline, point, reach) {
  const distances = outline.map((start, index) => distanceToLine([start, outline[(index + 1) % outline.length]], point));
  const least = Math.min(...distances);
  return least <= reach ? distances.indexOf(least) + 1 : -1;
}

/** @param {Line} line @param {Point} point */
export function distanceToLine([start, end], point) {
  const [along, across] = [end[0] - start[0], end[1] - start[1]];
  const length = along ** 2 + across ** 2;
  const share = length ? ((point[0] - start[0]) * along + (point[1] - start[1]) * across) / length : 0;
  const part = clamp(share, 0, 1);
  return distance([start[0] + part * along, start[1] + part * across], point);
}

// The outline with fewer points, none of the left out ones farther from it than the tolerance (Ramer, Douglas, Peucker).
/** @param {Point[]} outline @param {number} tolerance @returns {Point[]} */
export function simplified(outline, tolerance) {
  if (outline.length <= 4) return outline;
  const far = outline.reduce((best, point, index) => (distance(point, outline[0]) > distance(outline[best], outline[0]) ? index : best), 0);
  const halves = [outline.slice(0, far + 1), [...outline.slice(far), outline[0]]];
  return halves.flatMap((half) => thinned(half, tolerance).slice(0, -1));
}

// The outline with few enough points that each can be moved by its handle.
/** @param {Point[]} outline */
export function editable(outline) {
  let thin = outline;
  for (let tolerance = LEAST_TOLERANCE_PX; thin.length > MAX_HANDLES; tolerance *= 1.5) thin = simplified(outline, tolerance);
  return thin;
}

/** @param {Point[]} line @param {number} tolerance @returns {Point[]} */
function thinned(line, tolerance) {
  const [start, end] = [line[0], line[line.length - 1]];
  const distances = line.map((point) => distanceToLine([start, end], point));
  const most = Math.max(...distances);
  if (most <= tolerance) return [start, end];
  const middle = distances.indexOf(most);
  return [...thinned(line.slice(0, middle + 1), tolerance).slice(0, -1), ...thinned(line.slice(middle), tolerance)];
}

// The length in mm; null outside the calibrated box, or without one.
/** @param {Line} line @param {Calibration | null} calibration */
export function lengthMm([start, end], calibration) {
  if (!calibration || !contains(calibration.box, start) || !contains(calibration.box, end)) return null;
  return Math.hypot((end[0] - start[0]) * calibration.columnMm, (end[1] - start[1]) * calibration.rowMm);
}

// The outline of a region of the API: a polygon, or the corners of a box.
/** @param {{box?: Box, polygon?: Point[]} | null | undefined} region @returns {Point[] | null} */
export function outlineOf(region) {
  if (region?.polygon) return region.polygon;
  return region?.box ? corners(region.box) : null;
}
