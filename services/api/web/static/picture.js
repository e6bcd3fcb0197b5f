// The image of a new case: chosen, dropped, pasted or photographed; its preview, its frame, and the box around the nodule.

import { Outlines } from "./outlines.js";
import { fetchPreview } from "./preview.js";
import { takePhoto } from "./photo.js";
import { RoiCanvas } from "./roi.js";
import { byId } from "./session.js";
import { sentence, t } from "./words.js";

const SHOWN_ELSEWHERE = new Set(["multi-frame", "roi-from-calipers", "nodule-proposed"]);
const SIDES = ["x", "y", "width", "height"];

export class Picture {
  /** @type {Blob & {name?: string} | null} */
  file = null;
  /** @type {any} */
  preview = null;
  photo = false;
  turn = 0;
  /** @type {Promise<void> | null} */
  ready = null;

  /** @param {(mm: number | null) => void} onMeasured  called with the size by the image's own scale; null for none */
  constructor(onMeasured) {
    this.onMeasured = onMeasured;
    this.canvas = new RoiCanvas(byId("roi"), () => this.changeRoi());
    this.outlines = new Outlines(this.canvas, () => this.showBox());
    byId("file").addEventListener("change", (event) => this.takeFile(event.target, (file) => this.choose(file)));
    byId("camera").addEventListener("change", (event) => this.takeFile(event.target, (file) => this.photograph(file)));
    byId("straighten").addEventListener("click", () => this.photograph(this.file));
    byId("roi-remove").addEventListener("click", () => this.canvas.remove());
    byId("roi-suggest").addEventListener("click", () => this.canvas.change(this.preview.roi.box));
    byId("frame").addEventListener("change", (event) => this.turnTo(Number(event.target.value)));
    for (const side of SIDES) byId(`roi-${side}`).addEventListener("change", () => this.setBoxFromNumbers());
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

  async photograph(file) {
    const turn = this.turn, taken = await takePhoto(file);
    if (taken && turn === this.turn) await this.begin(async () => ({ file: taken.blob, preview: taken.preview, photo: true }));
  }

  // Resolves when the preview is shown, or its error.
  choose(file) {
    return this.begin(async () => ({ file, preview: await fetchPreview(file, { keep: true }), photo: false }));
  }

  // Shows another frame of the same loop. The present one stays until the new one has loaded.
  turnTo(frame) {
    const file = /** @type {Blob} */ (this.file);
    this.say(t("reader.image.looking"));
    this.ready = this.load(async () => ({ file, preview: await fetchPreview(file, { frame, keep: true }), photo: false }), ++this.turn);
  }

  begin(getPreview) {
    const turn = ++this.turn;
    this.forget();
    this.say(t("reader.image.looking"));
    this.ready = this.load(getPreview, turn);
    return this.ready;
  }

  async load(getPreview, turn) {
    try {
      const loaded = await getPreview(), bitmap = await createImageBitmap(loaded.preview.preview);
      if (turn !== this.turn) return;
      Object.assign(this, loaded);
      this.show(bitmap);
    } catch (problem) {
      if (turn === this.turn) this.say(problem.message, true);
    }
  }

  show(bitmap) {
    const { preview, photo } = this, file = /** @type {Blob & {name?: string}} */ (this.file);
    byId("view").hidden = false;
    this.canvas.show(bitmap, preview.roi?.box ?? null);
    this.say(t(photo ? "reader.image.photo" : "reader.image.shown", { name: file.name || t("reader.image.pasted") }));
    byId("straighten").hidden = photo || preview.frames > 1 || preview.format === "dicom";
    byId("roi-suggest").hidden = !preview.roi;
    byId("frames").hidden = preview.frames < 2;
    byId("frame-label").textContent = t("reader.image.frame", { frame: preview.frame, frames: preview.frames });
    Object.assign(byId("frame"), { max: preview.frames, value: preview.frame });
    this.warn([...(photo ? [{ message: t("reader.image.photo_changes") }, ...preview.photo.advice] : []), ...preview.warnings]);
    this.outlines.show(preview.links.outlines ?? null);
    this.showBox();
    this.onMeasured(preview.size_mm);
    byId("roi").scrollIntoView({ block: "nearest" });
  }

  warn(warnings) {
    const lines = warnings.filter(({ code }) => !SHOWN_ELSEWHERE.has(code)).map(warningLine);
    byId("warnings").replaceChildren(...lines);
    byId("warnings").hidden = !lines.length;
  }

  // The reader drew, moved or removed a box, or removed an accepted outline.
  changeRoi() {
    if (this.canvas.hasProposals && !this.canvas.box) this.outlines.release();
    else this.outlines.ask();
    this.showBox();
  }

  showBox() {
    const { box, outline } = this.canvas, { preview } = this;
    SIDES.forEach((side, index) => { byId(`roi-${side}`).value = box?.[index] ?? ""; });
    const isSuggested = box && String(box) === String(preview.roi && this.canvas.inside(preview.roi.box));
    const size = box && t("reader.roi.size", { width: box[2], height: box[3] });
    const none = outline || this.outlines.searches ? "" : t("reader.roi.none");
    byId("roi-said").textContent = isSuggested ? `${t("reader.roi.suggested")} ${size}` : size ?? none;
    byId("roi-remove").disabled = !box && !outline;
    byId("roi-suggest").disabled = Boolean(isSuggested);
  }

  setBoxFromNumbers() {
    const numbers = SIDES.map((side) => byId(`roi-${side}`).valueAsNumber);
    if (numbers.every(Number.isFinite)) this.canvas.change(/** @type {import("./roi.js").Box} */ (numbers));
  }

  // The fields of the image in a submission: the kept preview in place of the file, if there is one. A suggested box that the
  // reader removed is not sent.
  parts() {
    const { preview, file, photo } = this, { outline } = this.canvas;
    const box = this.canvas.box ?? (preview.roi ? [0, 0, preview.width, preview.height] : null);
    const roi = outline ? { polygon: outline } : box && { box };
    const kept = preview.id, frame = preview.frames > 1 ? preview.frame : null, source = photo ? "photo" : "file";
    const upload = kept ? { image: null, frame: null, source: null } : { image: file, frame, source };
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
    Object.assign(this, { file: null, preview: null, photo: false, ready: null });
    this.outlines.show(null);
    byId("view").hidden = true;
    byId("numbers").open = false;
    this.warn([]);
    this.onMeasured(null);
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

function warningLine(warning) {
  return Object.assign(document.createElement("li"), { textContent: sentence(warning) });
}
