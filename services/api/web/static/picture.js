// The image of a new case in the viewer: chosen, dropped, pasted or photographed; its frame, its covered areas and what marks the nodule.

import { make } from "./elements.js";
import { Outlines } from "./outlines.js";
import { fetchPreview } from "./preview.js";
import { takePhoto } from "./photo.js";
import { byId, say } from "./session.js";
import { Viewer } from "./viewer.js";
import { sentence, t } from "./words.js";

const SHOWN_ELSEWHERE = new Set(["multi-frame", "roi-from-calipers", "nodule-proposed", "area-covered"]);
const FRAME_SETTLE_MS = 400;

/**
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {{file: Blob & {name?: string}, preview: any, photo: boolean}} Loaded
 * @typedef {{
 *   onMeasured: (mm: number | null) => void,
 *   onDiameters: (mm: number[]) => void,
 *   onShown: (isShown: boolean) => void,
 * }} Listeners
 *   onMeasured: called with the size by the image's own scale, null for none; onDiameters: with those of the reader's calipers, the
 *   longest first; onShown: when there is an image, or none any more
 */

export class Picture {
  /** @type {Blob & {name?: string} | null} */
  file = null;
  /** @type {any} */
  preview = null;
  photo = false;
  /** @type {any[]} what the photo lacks */
  advice = [];
  /** @type {Box[]} the areas that the reader had blackened, which are black in the preview */
  covers = [];
  turn = 0;
  /** @type {Promise<boolean> | null} whether the step in progress goes well */
  ready = null;
  frameTimer = 0;

  /** @param {Listeners} listeners */
  constructor(listeners) {
    this.listeners = listeners;
    this.viewer = new Viewer(byId("stage"), {
      label: t("reader.roi.canvas"),
      tools: ["box", "click", "polygon", "caliper", "move", "window", "cover"],
      onChange: (change) => this.changed(change),
      onOutlineAt: (point) => this.outlines.at(point),
      onFrame: (frame) => this.turnTo(frame),
      onCover: (box) => this.cover(box),
    });
    this.outlines = new Outlines(this.viewer, () => this.sayMarks());
    byId("file").addEventListener("change", (event) => this.takeFile(event.target, (file) => this.choose(file)));
    byId("camera").addEventListener("change", (event) => this.takeFile(event.target, (file) => this.photograph(file)));
    byId("straighten").addEventListener("click", () => this.photograph(this.file));
    byId("uncover").addEventListener("click", () => this.uncover());
    document.addEventListener("paste", (event) => this.receive(event, event.clipboardData));
    document.addEventListener("drop", (event) => this.receive(event, event.dataTransfer, true));
    for (const kind of ["dragover", "dragleave", "drop"]) document.addEventListener(kind, (event) => showDropTarget(event));
  }

  takeFile(input, act) {
    const [file] = input.files;
    input.value = "";
    if (file) act(file);
  }

  receive(event, transfer, dropped = false) {
    const file = transfer?.files?.[0];
    if (dropped || file) event.preventDefault();
    if (file && !document.querySelector("dialog[open]")) this.choose(file);
  }

  // ---- getting an image

  async photograph(file) {
    const turn = this.turn, taken = await takePhoto(file);
    if (taken && turn === this.turn) await this.begin(async () => ({ file: taken.blob, preview: taken.preview, photo: true }));
  }

  // Resolves when the preview is shown, or its error.
  choose(file) {
    return this.begin(async () => ({ file, preview: await fetchPreview(file, { keep: true }), photo: false }));
  }

  /** @param {() => Promise<Loaded>} load */
  begin(load) {
    this.forget();
    return this.run(async (turn) => {
      const loaded = await load(), bitmap = await createImageBitmap(loaded.preview.preview);
      if (turn !== this.turn) return;
      Object.assign(this, loaded, { advice: loaded.photo ? loaded.preview.photo.advice : [] });
      this.show(bitmap);
    });
  }

  // `ready` resolves when the step is over; its problem is shown unless another step began.
  /** @param {(turn: number) => Promise<void>} step @param {(problem: Error) => void} [onProblem] */
  run(step, onProblem) {
    const turn = ++this.turn;
    this.say(t("reader.image.looking"));
    this.ready = step(turn).then(() => true, (problem) => {
      if (turn === this.turn) {
        this.say(problem.message, true);
        onProblem?.(problem);
      }
      return false;
    });
    return this.ready;
  }

  show(bitmap) {
    const { preview } = this, { calibration: scale } = preview;
    byId("view").hidden = false;
    this.listeners.onShown(true);
    const calibration = scale && { rowMm: scale.row_mm, columnMm: scale.column_mm, box: scale.box };
    this.viewer.show(bitmap, { calibration, marks: { box: preview.roi?.box ?? null }, frames: this.loop });
    this.viewer.useTool("box");
    this.describe();
    this.listeners.onMeasured(preview.size_mm);
  }

  // Takes a preview of the same image; the reader's marks stay.
  async again(getPreview, turn) {
    const preview = await getPreview();
    if (turn !== this.turn) return;
    this.preview = preview;
    this.describe();
  }

  // The same once areas were covered or uncovered: other pixels.
  async redraw(getPreview, turn) {
    await this.again(getPreview, turn);
    const bitmap = await createImageBitmap(this.preview.preview);
    if (turn === this.turn) this.viewer.refresh(bitmap, this.loop);
  }

  // What the page says of the image as it is now.
  describe() {
    const { preview, photo } = this;
    this.sayName();
    byId("straighten").hidden = photo || preview.frames > 1 || preview.format === "dicom";
    byId("uncover").hidden = !this.covers.length;
    this.warn([...(photo ? [{ message: t("reader.image.photo_changes") }, ...this.advice] : []), ...preview.warnings]);
    this.outlines.show(preview.links.outlines ?? null);
    this.sayMarks();
  }

  sayName() { this.say(t(this.photo ? "reader.image.photo" : "reader.image.shown", { name: this.file?.name || t("reader.image.pasted") })); }

  // ---- frames and covered areas

  /** @returns {import("./viewer.js").Loop} */
  get loop() {
    const { frames: count, frame: current } = this.preview;
    return { count, current, load: async (frame) => createImageBitmap((await this.fetchAgain({ frame })).preview) };
  }

  // The frame counts once the reader stays on it. If it cannot be had, the viewer goes back to the one that counts.
  turnTo(frame) {
    clearTimeout(this.frameTimer);
    if (frame === this.preview.frame) return this.stay();
    const settled = new Promise((resolve) => { this.frameTimer = setTimeout(resolve, FRAME_SETTLE_MS); });
    this.run(async (turn) => {
      await settled;
      if (turn === this.turn) await this.again(() => this.fetchAgain({ frame, keep: true }), turn);
    }, (problem) => { say(problem.message, true); this.viewer.frames.scrubTo(this.preview.frame); });
  }

  // What is being loaded counts no more.
  stay() {
    this.turn += 1;
    this.ready = null;
    this.sayName();
  }

  /** @param {Box} box */
  cover(box) {
    const area = /** @type {Box} */ ([Math.floor(box[0]), Math.floor(box[1]), Math.ceil(box[2]), Math.ceil(box[3])]);
    this.covers = [...this.covers, area];
    const undo = (problem) => { say(problem.message, true); this.covers = this.covers.slice(0, -1); this.viewer.setCover(null); };
    this.run((turn) => this.redraw(() => this.fetchAgain({ frame: this.frame, covers: [area], keep: true }), turn), undo);
  }

  // What was blackened is gone from the kept preview, so that the file is sent again.
  uncover() {
    this.covers = this.covers.slice(0, -1);
    this.preview.id = null;
    this.run((turn) => this.redraw(() => this.fetchAgain({ frame: this.frame, keep: true }), turn));
  }

  get frame() { return this.preview.frames > 1 ? this.viewer.frames.current : undefined; }

  // The kept preview with a change; the file itself is sent only where it is not kept.
  /** @param {import("./preview.js").PreviewOptions} options */
  fetchAgain({ frame, covers, keep = false }) {
    const { preview, file } = this;
    const fetchWhole = () => fetchPreview(/** @type {Blob} */ (file), { frame, covers: this.covers, keep });
    if (!preview.id) return fetchWhole();
    return fetchPreview(preview.id, { frame, covers, keep }).catch((problem) => {
      if (problem.code !== "preview-not-kept") throw problem;
      return fetchWhole();
    });
  }

  // ---- what the reader does

  /** @param {import("./viewer.js").Change} change */
  changed({ marks, diametersMm }) {
    const marked = JSON.stringify([marks.box, marks.polygon]);
    if (marked !== this.marked) this.outlines.ask();
    this.marked = marked;
    this.listeners.onDiameters(diametersMm);
    this.sayMarks();
  }

  sayMarks() {
    const { preview } = this;
    if (!preview) return;
    const { box, polygon } = this.viewer.marks;
    this.marked = JSON.stringify([box, polygon]);
    const isSuggested = box && preview.roi && String(box) === String(preview.roi.box);
    const none = this.outlines.searches ? "" : t("reader.roi.none");
    byId("roi-said").textContent = polygon ? t("reader.roi.outline") : isSuggested ? t("reader.roi.suggested") : box ? "" : none;
  }

  // The fields of the image in a submission: the kept preview in place of the file, if there is one. A suggested box that the
  // reader removed is not sent.
  parts() {
    const { preview, file, photo, covers } = this, { polygon } = this.viewer.marks;
    const box = this.viewer.marks.box ?? (preview.roi ? [0, 0, preview.width, preview.height] : null);
    const roi = polygon ? { polygon } : box && { box };
    const kept = preview.id, frame = preview.frames > 1 ? preview.frame : null, source = photo ? "photo" : "file";
    const upload = kept ? { image: null, frame: null, source: null } : { image: file, frame, source, covers: covers.length ? JSON.stringify(covers) : null };
    return { preview: kept, ...upload, roi: roi && JSON.stringify(roi), turn: this.turn };
  }

  // The kept preview is erased: the file itself is sent.
  forgetKept() {
    this.preview.id = null;
  }

  clear() {
    this.turn += 1;
    this.forget();
    this.say("");
  }

  forget() {
    Object.assign(this, { file: null, preview: null, photo: false, advice: [], covers: [], ready: null });
    clearTimeout(this.frameTimer);
    this.outlines.show(null);
    byId("view").hidden = true;
    this.listeners.onShown(false);
    this.warn([]);
    this.listeners.onMeasured(null);
  }

  warn(warnings) {
    const lines = warnings.filter(({ code }) => !SHOWN_ELSEWHERE.has(code)).map((warning) => make("li", {}, sentence(warning), ...(warning.code === "burnt-in-text" ? [this.coverButton()] : [])));
    byId("warnings").replaceChildren(...lines);
    byId("warnings").hidden = !lines.length;
  }

  coverButton() {
    const button = make("button", { type: "button", className: "small", textContent: t("reader.image.blacken") });
    button.addEventListener("click", () => { this.viewer.useTool("cover"); this.viewer.canvas.focus(); });
    return button;
  }

  say(text, problem = false) {
    byId("image-said").textContent = text;
    byId("image-said").classList.toggle("problem", problem);
  }
}

function showDropTarget(event) {
  event.preventDefault();
  byId("drop").classList.toggle("over", event.type === "dragover");
}
