// The image of a new case: chosen, dropped, pasted or photographed, looked at, with its frame and the box around the nodule.

import { look } from "./looking.js";
import { takePhoto } from "./photo.js";
import { RoiCanvas } from "./roi.js";
import { byId } from "./session.js";
import { has, t } from "./words.js";

const SHOWN_OTHERWISE = new Set(["multi-frame", "roi-from-calipers"]);
const SIDES = ["x", "y", "width", "height"];

export class Picture {
  /** @type {Blob & {name?: string} | null} */
  file = null;
  /** @type {any} */
  seen = null;
  photo = false;
  turn = 0;
  /** @type {Promise<void> | null} */
  ready = null;

  /** @param {(mm: number | null) => void} measured  hears what the image's own calibration gives, null for nothing */
  constructor(measured) {
    this.measured = measured;
    this.canvas = new RoiCanvas(byId("roi"), () => this.outlined());
    byId("file").addEventListener("change", (event) => this.from(event.target, (file) => this.choose(file)));
    byId("camera").addEventListener("change", (event) => this.from(event.target, (file) => this.photograph(file)));
    byId("straighten").addEventListener("click", () => this.photograph(this.file));
    byId("roi-remove").addEventListener("click", () => this.canvas.change(null));
    byId("roi-suggest").addEventListener("click", () => this.canvas.change(this.seen.roi.box));
    byId("frame").addEventListener("change", (event) => this.turnTo(Number(event.target.value)));
    for (const side of SIDES) byId(`roi-${side}`).addEventListener("change", () => this.numbered());
    document.addEventListener("paste", (event) => this.given(event, event.clipboardData));
    document.addEventListener("drop", (event) => this.given(event, event.dataTransfer, true));
    for (const kind of ["dragover", "dragleave", "drop"]) document.addEventListener(kind, (event) => dragged(event));
  }

  from(input, act) {
    const [file] = input.files;
    input.value = "";
    if (file) act(file);
  }

  given(event, carried, dropped = false) {
    const file = carried?.files?.[0];
    if (dropped || file) event.preventDefault();
    if (file && !document.querySelector("dialog[open]")) this.choose(file);
  }

  async photograph(file) {
    const turn = this.turn, taken = await takePhoto(file);
    if (taken && turn === this.turn) await this.begin(async () => ({ file: taken.blob, seen: taken.look, photo: true }));
  }

  // Resolves when the image has been looked at, or was found to be none.
  choose(file) {
    return this.begin(async () => ({ file, seen: await look(file), photo: false }));
  }

  // Another frame of the same loop; the one that is shown stays until it is there.
  turnTo(frame) {
    const file = /** @type {Blob} */ (this.file);
    this.say(t("reader.image.looking"));
    this.ready = this.look(async () => ({ file, seen: await look(file, { frame }), photo: false }), ++this.turn);
  }

  begin(see) {
    const turn = ++this.turn;
    this.forget();
    this.say(t("reader.image.looking"));
    this.ready = this.look(see, turn);
    return this.ready;
  }

  async look(see, turn) {
    try {
      const found = await see(), bitmap = await createImageBitmap(found.seen.preview);
      if (turn !== this.turn) return;
      Object.assign(this, found);
      this.show(bitmap);
    } catch (problem) {
      if (turn === this.turn) this.say(problem.message, true);
    }
  }

  show(bitmap) {
    const { seen, photo } = this, file = /** @type {Blob & {name?: string}} */ (this.file);
    byId("view").hidden = false;
    this.canvas.show(bitmap, seen.roi?.box ?? null);
    this.say(t(photo ? "reader.image.photo" : "reader.image.shown", { name: file.name || t("reader.image.pasted") }));
    byId("straighten").hidden = photo || seen.frames > 1 || seen.format === "dicom";
    byId("roi-suggest").hidden = !seen.roi;
    byId("frames").hidden = seen.frames < 2;
    byId("frame-label").textContent = t("reader.image.frame", { frame: seen.frame, frames: seen.frames });
    Object.assign(byId("frame"), { max: seen.frames, value: seen.frame });
    this.warn([...(photo ? [{ message: t("reader.image.photo_changes") }, ...seen.photo.advice] : []), ...seen.warnings]);
    this.outlined();
    this.measured(seen.size_mm);
    byId("roi").scrollIntoView({ block: "nearest" });
  }

  warn(warnings) {
    const lines = warnings.filter(({ code }) => !SHOWN_OTHERWISE.has(code)).map(line);
    byId("warnings").replaceChildren(...lines);
    byId("warnings").hidden = !lines.length;
  }

  outlined() {
    const { box } = this.canvas, { seen } = this;
    SIDES.forEach((side, index) => { byId(`roi-${side}`).value = box?.[index] ?? ""; });
    const suggested = box && String(box) === String(seen.roi && this.canvas.inside(seen.roi.box));
    const size = box && t("reader.roi.size", { width: box[2], height: box[3] });
    byId("roi-said").textContent = suggested ? `${t("reader.roi.suggested")} ${size}` : size ?? t("reader.roi.none");
    byId("roi-remove").disabled = !box;
    byId("roi-suggest").disabled = Boolean(suggested);
  }

  numbered() {
    const numbers = SIDES.map((side) => byId(`roi-${side}`).valueAsNumber);
    if (numbers.every(Number.isFinite)) this.canvas.change(/** @type {import("./roi.js").Box} */ (numbers));
  }

  // What a submission says of the image. A suggestion that was taken away is not taken up again.
  parts() {
    const { seen, file, photo } = this;
    const box = this.canvas.box ?? (seen.roi ? [0, 0, seen.width, seen.height] : null);
    return { image: file, roi: box && JSON.stringify({ box }), frame: seen.frames > 1 ? seen.frame : null, source: photo ? "photo" : "file", turn: this.turn };
  }

  clear() {
    this.turn += 1;
    this.forget();
    this.say("");
  }

  forget() {
    Object.assign(this, { file: null, seen: null, photo: false, ready: null });
    byId("view").hidden = true;
    byId("numbers").open = false;
    this.warn([]);
    this.measured(null);
  }

  say(text, problem = false) {
    byId("image-said").textContent = text;
    byId("image-said").classList.toggle("problem", problem);
  }
}

function dragged(event) {
  event.preventDefault();
  byId("drop").classList.toggle("over", event.type === "dragover");
}

function line({ code, message }) {
  const key = `result.warning.${code}`;
  return Object.assign(document.createElement("li"), { textContent: has(key) ? t(key) : message });
}
