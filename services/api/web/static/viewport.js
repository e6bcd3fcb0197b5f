// Which part of an image a viewer shows, and how large. Screen lengths are CSS pixels, image lengths are pixels of the image.

/** @typedef {[number, number]} Point  x, y */

const MAX_SCALE = 32;
// The least length of the image that stays on the screen however far it is moved.
const MIN_VISIBLE_PX = 48;

const clamp = (value, min, max) => Math.min(Math.max(value, min), max);

export class Viewport {
  imageWidth = 1;
  imageHeight = 1;
  width = 1;
  height = 1;
  // Screen pixels per image pixel, and the screen position of the image's upper left corner.
  scale = 1;
  x = 0;
  y = 0;

  setImage(width, height) {
    this.imageWidth = width;
    this.imageHeight = height;
    this.fit();
  }

  // A fitted image stays fitted; otherwise the middle of the view stays in the middle.
  setScreen(width, height) {
    const wasFitted = this.isFitted, middle = this.toImage(this.middle);
    this.width = width;
    this.height = height;
    if (wasFitted) return this.fit();
    this.place(middle, this.middle);
  }

  /** @returns {Point} */
  get middle() { return [this.width / 2, this.height / 2]; }

  get fitScale() { return Math.min(this.width / this.imageWidth, this.height / this.imageHeight); }

  get minScale() { return Math.min(this.fitScale, 1); }

  get isFitted() {
    const isCentred = Math.abs(this.x - (this.width - this.imageWidth * this.scale) / 2) < 0.5;
    return isCentred && Math.abs(this.scale - this.fitScale) < 1e-6;
  }

  // Whether the whole image is on the screen, so that there is nothing to move.
  get showsAll() { return this.scale <= this.fitScale * (1 + 1e-6); }

  fit() {
    this.scale = this.fitScale;
    this.x = (this.width - this.imageWidth * this.scale) / 2;
    this.y = (this.height - this.imageHeight * this.scale) / 2;
  }

  // The image point at a screen position stays there. Without a position: the middle of the screen.
  /** @param {number} scale @param {Point} [at] */
  zoomTo(scale, at = this.middle) {
    const point = this.toImage(at);
    this.scale = clamp(scale, this.minScale, MAX_SCALE);
    this.place(point, at);
  }

  /** @param {number} factor @param {Point} [at] */
  zoomBy(factor, at = this.middle) {
    const scale = this.scale * factor;
    // Zooming out past the fit stops at the fit.
    const passesFit = factor < 1 && this.scale > this.fitScale * (1 + 1e-6) && scale < this.fitScale;
    if (passesFit) return this.fit();
    this.zoomTo(scale, at);
  }

  panBy(right, down) {
    this.x += right;
    this.y += down;
    this.keepVisible();
  }

  /** @param {Point} point @param {Point} at */
  place([x, y], [atX, atY]) {
    this.x = atX - x * this.scale;
    this.y = atY - y * this.scale;
    this.keepVisible();
  }

  keepVisible() {
    const [shownWidth, shownHeight] = [this.imageWidth * this.scale, this.imageHeight * this.scale];
    this.x = clamp(this.x, MIN_VISIBLE_PX - shownWidth, this.width - MIN_VISIBLE_PX);
    this.y = clamp(this.y, MIN_VISIBLE_PX - shownHeight, this.height - MIN_VISIBLE_PX);
  }

  /** @param {Point} point @returns {Point} */
  toImage([x, y]) { return [(x - this.x) / this.scale, (y - this.y) / this.scale]; }

  /** @param {Point} point @returns {Point} */
  toScreen([x, y]) { return [x * this.scale + this.x, y * this.scale + this.y]; }

  // The nearest point inside the image.
  /** @param {Point} point @returns {Point} */
  inside([x, y]) { return [clamp(x, 0, this.imageWidth), clamp(y, 0, this.imageHeight)]; }
}
