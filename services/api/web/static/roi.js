// The box around a nodule over the picture: drawn, moved and resized by mouse, finger or keys; and the outlines that SERA draws,
// one of which can be accepted instead. In pixels of the picture.

const MIN_SIDE_PX = 8;
const FINGER_PX = 22, MOUSE_PX = 10, HANDLE_PX = 6;
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const SET_KEYS = ["Enter", " "], REMOVE_KEYS = ["Delete", "Backspace"];
const MAX_SCALE = 3, MAX_HEIGHT_SHARE = 0.6;

/** @param {Box} box @param {number} factor @returns {Box} */
const scaled = ([x, y, width, height], factor) => [x * factor, y * factor, width * factor, height * factor];
const BOX_LINES = [{ strokeStyle: "#000", lineWidth: 4 }, { strokeStyle: "#ffd400", lineWidth: 2 }];
const OUTLINE_LINES = [{ strokeStyle: "#000", lineWidth: 4 }, { strokeStyle: "#4de1ff", lineWidth: 2, dash: [7, 5] }];
const clamp = (value, min, max) => Math.min(Math.max(value, min), max);

/**
 * @typedef {[number, number]} Point
 * @typedef {[number, number, number, number]} Box  x, y, width, height
 * @typedef {{start: Point, previousBox: Box | null, previousOutline: Point[] | null, moved?: boolean, moving?: Box, fixed?: Point, small?: boolean}} Grip
 */

export class RoiCanvas {
  /** @type {Box | null} */
  box = null;
  // The accepted outline; there is a box or an outline, or neither.
  /** @type {Point[] | null} */
  outline = null;
  /** @type {Point[][]} */
  proposals = [];
  // What SERA would read inside the box.
  /** @type {Point[][]} */
  traced = [];
  /** @type {(index: number) => void} */
  onPick = () => {};
  /** @type {Grip | null} */
  grip = null;
  // Both are unset until a picture is shown.
  picture = /** @type {ImageBitmap} */ (/** @type {unknown} */ (null));
  pen = /** @type {CanvasRenderingContext2D} */ (/** @type {unknown} */ (null));
  scale = 1;

  /**
   * @param {PageElement} canvas
   * @param {(box: Box | null) => void} onChange  called for each change by the reader
   */
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.onChange = onChange;
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => this.release());
    new ResizeObserver(() => this.fit()).observe(canvas.parentElement);
  }

  show(picture, box) {
    this.picture = picture;
    this.set(box);
    this.fit();
  }

  // Sets the box within the picture without calling `onChange`.
  /** @param {Box | null} box */
  set(box) {
    this.box = box && this.inside(box);
    this.outline = null;
    this.draw();
  }

  /** @param {Point[][]} proposals @param {Point[][]} traced */
  setProposals(proposals, traced) {
    Object.assign(this, { proposals, traced });
    this.draw();
  }

  get hasProposals() { return this.proposals.length > 0; }

  // Takes a proposed outline in place of a box, without calling `onChange`.
  /** @param {number} index */
  accept(index) {
    this.box = null;
    this.outline = this.proposals[index];
    this.draw();
  }

  // Removes the box or the accepted outline.
  remove() {
    if (this.box || this.outline) this.change(null);
  }

  /** @param {Box} box @returns {Box} */
  inside([x, y, width, height]) {
    const { width: maxWidth, height: maxHeight } = this.picture;
    const boxWidth = clamp(Math.round(width), MIN_SIDE_PX, maxWidth);
    const boxHeight = clamp(Math.round(height), MIN_SIDE_PX, maxHeight);
    return [clamp(Math.round(x), 0, maxWidth - boxWidth), clamp(Math.round(y), 0, maxHeight - boxHeight), boxWidth, boxHeight];
  }

  /** @param {Box | null} box */
  change(box) {
    this.set(box);
    this.onChange(this.box);
  }

  key(event) {
    const step = STEPS[event.key];
    const [setting, removing] = [SET_KEYS, REMOVE_KEYS].map((keys) => keys.includes(event.key));
    if (!this.picture || !(step || setting || removing)) return;
    event.preventDefault();
    if (removing) this.remove();
    else if (setting && !this.box && this.hasProposals) this.onPick(0);
    else if (!this.box) this.change(this.middle());
    else if (step) this.change(this.stepped(this.box, step, event.shiftKey));
  }

  /** @returns {Box} */
  middle() {
    const { width, height } = this.picture;
    return [width / 4, height / 4, width / 2, height / 2];
  }

  /** @param {Box} box @param {Point} step @param {boolean} sized @returns {Box} */
  stepped([x, y, width, height], [right, down], sized) {
    const distance = Math.max(Math.round(this.picture.width / 100), 1);
    if (!sized) return [x + right * distance, y + down * distance, width, height];
    const room = [this.picture.width - x, this.picture.height - y];
    return [x, y, clamp(width + right * distance, MIN_SIDE_PX, room[0]), clamp(height + down * distance, MIN_SIDE_PX, room[1])];
  }

  /** @returns {Point} */
  at(event) {
    const rectangle = this.canvas.getBoundingClientRect();
    const x = (event.clientX - rectangle.left) / this.scale;
    const y = (event.clientY - rectangle.top) / this.scale;
    return [clamp(x, 0, this.picture.width), clamp(y, 0, this.picture.height)];
  }

  press(event) {
    if (!this.picture || event.button) return;
    event.preventDefault();
    this.canvas.focus();
    this.canvas.setPointerCapture(event.pointerId);
    const point = this.at(event), corner = this.corner(point, event.pointerType === "mouse" ? MOUSE_PX : FINGER_PX);
    const action = this.box && this.contains(point) ? { moving: this.box } : { fixed: point };
    this.grip = { start: point, previousBox: this.box, previousOutline: this.outline, ...(corner ? { fixed: corner } : action) };
  }

  // The corner opposite to the touched one.
  /** @param {Point} point @param {number} reach @returns {Point | null} */
  corner([x, y], reach) {
    if (!this.box) return null;
    const [left, top, width, height] = this.box, right = left + width, bottom = top + height;
    const corners = [[left, top, right, bottom], [right, top, left, bottom], [right, bottom, left, top], [left, bottom, right, top]];
    const near = corners.find(([cx, cy]) => Math.hypot(cx - x, cy - y) * this.scale <= reach);
    return near ? [near[2], near[3]] : null;
  }

  /** @param {Point} point */
  contains([x, y]) {
    const box = this.box;
    return box !== null && x >= box[0] && y >= box[1] && x <= box[0] + box[2] && y <= box[1] + box[3];
  }

  drag(event) {
    if (!this.grip) return;
    const [x, y] = this.at(event), { start, moving, fixed } = this.grip;
    if (x === start[0] && y === start[1]) return;
    this.grip.moved = true;
    if (moving) return this.set([moving[0] + x - start[0], moving[1] + y - start[1], moving[2], moving[3]]);
    if (!fixed) return;
    this.set([Math.min(x, fixed[0]), Math.min(y, fixed[1]), Math.abs(x - fixed[0]), Math.abs(y - fixed[1])]);
    this.grip.small = Math.min(Math.abs(x - fixed[0]), Math.abs(y - fixed[1])) < MIN_SIDE_PX / 2;
  }

  release() {
    if (!this.grip) return;
    const { start, moved, small, previousBox, previousOutline } = this.grip;
    this.grip = null;
    if (small) this.set(previousBox);
    if (small || !moved) {
      this.outline = previousOutline;
      this.draw();
      const picked = this.proposals.findIndex((polygon) => encloses(polygon, start));
      if (picked >= 0) return this.onPick(picked);
    }
    if (previousOutline && !this.outline) return this.onChange(this.box);
    if (String(previousBox) !== String(this.box)) this.onChange(this.box);
  }

  // Fits the canvas to the space on the page.
  fit() {
    const room = this.canvas.parentElement.clientWidth;
    if (!this.picture || !room) return;
    const { width, height } = this.picture, high = Math.max(innerHeight * MAX_HEIGHT_SHARE, 200);
    this.scale = Math.min(room / width, high / height, MAX_SCALE);
    const dense = devicePixelRatio || 1;
    Object.assign(this.canvas, { width: Math.round(width * this.scale * dense), height: Math.round(height * this.scale * dense) });
    this.canvas.style.width = `${width * this.scale}px`;
    this.canvas.style.height = `${height * this.scale}px`;
    this.pen = this.canvas.getContext("2d");
    this.pen.setTransform(dense, 0, 0, dense, 0, 0);
    this.draw();
  }

  draw() {
    if (!this.picture || !this.pen) return;
    const [width, height] = [this.picture.width * this.scale, this.picture.height * this.scale];
    this.pen.drawImage(this.picture, 0, 0, width, height);
    if (this.box) this.drawBox(width, height, scaled(this.box, this.scale));
    if (this.outline) this.drawAccepted(width, height, this.path(this.outline));
    if (this.box) for (const polygon of this.traced) this.drawDashed(this.path(polygon));
    else this.proposals.forEach((polygon, index) => this.drawProposal(polygon, index));
  }

  /** @param {Point[]} polygon */
  path(polygon) {
    const path = new Path2D();
    for (const [x, y] of polygon) path.lineTo((x + 0.5) * this.scale, (y + 0.5) * this.scale);
    path.closePath();
    return path;
  }

  /** @param {number} width @param {number} height @param {Path2D} path */
  drawAccepted(width, height, path) {
    const { pen } = this, shade = new Path2D(path);
    shade.rect(0, 0, width, height);
    pen.fillStyle = "rgb(0 0 0 / .4)";
    pen.fill(shade, "evenodd");
    this.drawLines(path, BOX_LINES);
  }

  /** @param {Point[]} polygon @param {number} index */
  drawProposal(polygon, index) {
    const { pen } = this;
    if (polygon !== this.outline) this.drawDashed(this.path(polygon));
    if (this.proposals.length < 2) return;
    const [x, y] = polygon.reduce((top, point) => (point[1] < top[1] ? point : top));
    Object.assign(pen, { font: "bold 16px sans-serif", textAlign: "center", fillStyle: "#fff", strokeStyle: "#000", lineWidth: 4 });
    pen.strokeText(String(index + 1), x * this.scale, Math.max(y * this.scale - 6, 16));
    pen.fillText(String(index + 1), x * this.scale, Math.max(y * this.scale - 6, 16));
  }

  /** @param {Path2D} path */
  drawDashed(path) {
    this.drawLines(path, OUTLINE_LINES);
  }

  /** @param {Path2D} path @param {object[]} lines */
  drawLines(path, lines) {
    for (const { dash = [], ...line } of /** @type {any[]} */ (lines)) {
      Object.assign(this.pen, line);
      this.pen.setLineDash(dash);
      this.pen.stroke(path);
    }
    this.pen.setLineDash([]);
  }

  /** @param {number} width @param {number} height @param {Box} box */
  drawBox(width, height, [x, y, wide, high]) {
    const { pen } = this;
    pen.fillStyle = "rgb(0 0 0 / .4)";
    pen.beginPath();
    pen.rect(0, 0, width, height);
    pen.rect(x, y, wide, high);
    pen.fill("evenodd");
    const edge = new Path2D();
    edge.rect(x, y, wide, high);
    this.drawLines(edge, BOX_LINES);
    for (const [cx, cy] of [[x, y], [x + wide, y], [x + wide, y + high], [x, y + high]]) this.handle(cx, cy);
  }

  handle(x, y) {
    const { pen } = this;
    pen.beginPath();
    pen.arc(x, y, HANDLE_PX, 0, 2 * Math.PI);
    Object.assign(pen, { fillStyle: "#ffd400", strokeStyle: "#000", lineWidth: 1.5 });
    pen.fill();
    pen.stroke();
  }
}

/** @param {Point[]} polygon @param {Point} point */
function encloses(polygon, [x, y]) {
  let inside = false;
  polygon.forEach(([x1, y1], index) => {
    const [x2, y2] = polygon[(index + 1) % polygon.length];
    if (y1 > y !== y2 > y && x < x1 + ((y - y1) / (y2 - y1)) * (x2 - x1)) inside = !inside;
  });
  return inside;
}
