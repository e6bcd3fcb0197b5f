// The frames of a loop: a scrubber, and a button that plays them.

import { icon, make } from "./elements.js";
import { t } from "./words.js";

/** @typedef {import("./viewer.js").Viewer} Viewer */

const FRAME_MS = 1000 / 15;
const MAX_CACHED = 120;
const PLAY = ["M8 5l11 7-11 7z"], STOP = ["M8 5v14M16 5v14"];

export class Frames {
  count = 1;
  current = 1;
  isPlaying = false;
  /** @type {Map<number, Promise<ImageBitmap>>} */
  cache = new Map();
  /** @type {(frame: number) => Promise<ImageBitmap>} */
  load = () => Promise.reject(new Error("no frames"));
  // Counts the requests, so that a frame that arrives late does not replace a newer one.
  turn = 0;

  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    this.scrubber = make("input", { type: "range", min: "1", step: "1", "aria-label": t("viewer.frames.scrubber") });
    this.play = make("button", { type: "button" });
    this.label = make("output");
    this.element = make("div", { className: "viewer-frames", hidden: true }, this.play, this.scrubber, this.label);
    this.scrubber.addEventListener("input", () => this.scrubTo(Number(this.scrubber.value)));
    this.play.addEventListener("click", () => this.togglePlay());
  }

  // `load` returns the image of a frame, counted from 1.
  /** @param {import("./viewer.js").Loop & {image: ImageBitmap}} loop */
  set({ count, current, load, image }) {
    this.stop();
    Object.assign(this, { count, current, load, cache: new Map([[current, Promise.resolve(image)]]) });
    this.scrubber.max = String(count);
    this.element.hidden = count < 2;
    this.update();
  }

  /** @param {number} frame */
  scrubTo(frame) {
    this.stop();
    this.show(frame);
  }

  step(frames) {
    if (this.count < 2) return false;
    this.stop();
    return this.show(((this.current - 1 + frames + this.count) % this.count) + 1);
  }

  async show(frame) {
    this.current = frame;
    this.turn += 1;
    this.update();
    const { turn } = this;
    if (!this.isPlaying) this.viewer.options.onFrame?.(frame);
    try {
      const image = await this.image(frame);
      if (turn === this.turn) this.viewer.replaceImage(image, frame);
    } catch (problem) {
      this.cache.delete(frame);
      this.stop();
      this.viewer.say(problem.message);
    }
  }

  /** @param {number} frame */
  image(frame) {
    const known = this.cache.get(frame) ?? this.load(frame);
    if (this.cache.size >= MAX_CACHED) this.cache.delete(/** @type {number} */ (this.cache.keys().next().value));
    this.cache.set(frame, known);
    return known;
  }

  togglePlay() {
    if (this.count < 2) return false;
    if (this.isPlaying) return this.pause();
    this.isPlaying = true;
    this.update();
    return this.run();
  }

  // Plays as fast as frames arrive, at most at the rate of a cine loop.
  async run() {
    while (this.isPlaying) {
      const pause = new Promise((resolve) => setTimeout(resolve, FRAME_MS));
      await this.show((this.current % this.count) + 1);
      await pause;
    }
  }

  pause() {
    if (!this.isPlaying) return;
    this.stop();
    this.viewer.options.onFrame?.(this.current);
  }

  stop() {
    this.isPlaying = false;
    this.update();
  }

  update() {
    this.scrubber.value = String(this.current);
    this.label.value = t("viewer.frames.label", { frame: this.current, frames: this.count });
    this.scrubber.setAttribute("aria-valuetext", this.label.value);
    const name = t(this.isPlaying ? "viewer.frames.stop" : "viewer.frames.play");
    if (this.play.title === name) return;
    Object.assign(this.play, { title: name, ariaLabel: name });
    this.play.replaceChildren(icon(this.isPlaying ? STOP : PLAY));
  }
}
