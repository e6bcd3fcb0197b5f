// Straightens a photo of a screen: SERA or the reader sets its four corners, and the reader checks the picture before use.

import { make } from "./elements.js";
import { fetchPreview } from "./preview.js";
import { t } from "./words.js";

const MAX_SIDE_PX = 4000;
const CORNERS = ["upper_left", "upper_right", "lower_right", "lower_left"];
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const COARSE_FACTOR = 10;

/**
 * Lets the reader straighten a photo. Resolves to the straightened PNG and its preview, or to null if the reader cancels.
 *
 * @param {Blob} file  of the camera
 * @param {{csrf?: string}} [options]
 * @returns {Promise<{blob: Blob, preview: any} | null>}
 */
export async function takePhoto(file, { csrf } = {}) {
  const dialog = new PhotoDialog(csrf);
  try {
    return await dialog.ask(file);
  } finally {
    dialog.close();
  }
}

class PhotoDialog {
  constructor(csrf) {
    this.csrf = csrf;
    this.parts = build();
    this.parts.handles.forEach((handle, index) => this.addListeners(handle, index));
    this.parts.straighten.addEventListener("click", () => this.attempt(() => this.straighten()));
    this.parts.back.addEventListener("click", () => this.show("corners"));
    this.parts.camera.addEventListener("change", () => this.retake());
  }

  ask(file) {
    const { dialog, cancel, use } = this.parts;
    document.body.append(dialog);
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => resolve(null));
      cancel.addEventListener("click", () => resolve(null));
      use.addEventListener("click", () => resolve({ blob: this.preview.preview, preview: this.preview }));
      this.attempt(() => this.begin(file));
    });
  }

  close() {
    this.parts.dialog.remove();
    if (this.objectUrl) URL.revokeObjectURL(this.objectUrl);
  }

  async begin(file) {
    this.show("corners");
    this.busy(t("photo.finding"));
    const picture = await upright(file);
    this.file = picture.file;
    draw(this.parts.canvas, picture.bitmap);
    this.corners = [[0, 0], [1, 0], [1, 1], [0, 1]].map(([x, y]) => [x * (this.width - 1), y * (this.height - 1)]);
    this.place();
    const { photo } = await fetchPreview(this.file, { csrf: this.csrf, photo: true });
    this.corners = photo.corners;
    this.place();
    this.say(t(photo.found ? "photo.found" : "photo.not_found"));
    this.parts.handles[0].focus();
  }

  async straighten() {
    this.busy(t("photo.straightening"));
    this.preview = await fetchPreview(this.file, { csrf: this.csrf, photo: true, corners: this.corners, keep: true });
    if (this.objectUrl) URL.revokeObjectURL(this.objectUrl);
    this.objectUrl = URL.createObjectURL(this.preview.preview);
    const { result, advice, use } = this.parts, { photo } = this.preview;
    result.src = this.objectUrl;
    advice.replaceChildren(...photo.advice.map(({ code }) => make("li", { textContent: t(`photo.advice.${code}`) })));
    use.textContent = t(photo.retake ? "photo.use_anyway" : "photo.use");
    use.classList.toggle("first", !photo.retake);
    this.show("straight");
    this.say(t(photo.retake ? "photo.retake_advised" : "photo.good"), photo.retake);
    use.focus();
  }

  retake() {
    const [file] = this.parts.camera.files ?? [];
    this.parts.camera.value = "";
    if (file) this.attempt(() => this.begin(file));
  }

  async attempt(step) {
    try {
      await step();
    } catch (problem) {
      this.say(problem.message || t("photo.unreadable"), true);
    } finally {
      this.free();
    }
  }

  get width() { return this.parts.canvas.width * this.parts.canvas.scale; }
  get height() { return this.parts.canvas.height * this.parts.canvas.scale; }

  addListeners(handle, index) {
    handle.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (!step) return;
      event.preventDefault();
      const distance = (event.shiftKey ? COARSE_FACTOR : 1) * Math.max(this.width / 800, 1);
      const [x, y] = this.corners[index];
      this.move(index, x + step[0] * distance, y + step[1] * distance);
    });
    handle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      handle.focus();
      handle.setPointerCapture(event.pointerId);
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const box = this.parts.canvas.getBoundingClientRect();
      const share = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
      this.move(index, share[0] * this.width, share[1] * this.height);
    });
  }

  move(index, x, y) {
    this.corners[index] = [clamp(x, this.width - 1), clamp(y, this.height - 1)];
    this.place();
  }

  // Moves handles and outline to the corners, in percent of the photo.
  place() {
    const positions = this.corners.map(([x, y]) => [(100 * x) / this.width, (100 * y) / this.height]);
    positions.forEach(([x, y], index) => {
      const { style } = this.parts.handles[index];
      style.left = `${x}%`;
      style.top = `${y}%`;
    });
    this.parts.outline.setAttribute("points", positions.map((point) => point.join(",")).join(" "));
  }

  show(step) {
    for (const part of this.parts.steps) part.hidden = part.dataset.step !== step;
  }

  say(text, problem = false) {
    this.parts.status.textContent = text;
    this.parts.status.classList.toggle("problem", problem);
  }

  busy(text) {
    this.say(text);
    for (const button of this.parts.buttons) button.disabled = true;
  }

  free() {
    for (const button of this.parts.buttons) button.disabled = false;
  }
}

// The photo upright by its EXIF orientation, no larger than SERA needs.
async function upright(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(t("photo.unreadable"));
  }
  const scale = MAX_SIDE_PX / Math.max(bitmap.width, bitmap.height);
  if (scale >= 1) return { file, bitmap };
  const canvas = Object.assign(document.createElement("canvas"), {
    width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale),
  });
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  /** @type {Blob} */
  const reduced = await new Promise((resolve) => canvas.toBlob((blob) => resolve(/** @type {Blob} */ (blob)), "image/jpeg", 0.92));
  return { file: reduced, bitmap: await createImageBitmap(reduced) };
}

const MAX_CANVAS_PX = 1600;

function draw(canvas, bitmap) {
  canvas.scale = Math.max(bitmap.width, bitmap.height) / MAX_CANVAS_PX;
  canvas.scale = Math.max(canvas.scale, 1);
  canvas.width = Math.round(bitmap.width / canvas.scale);
  canvas.height = Math.round(bitmap.height / canvas.scale);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
}

function build() {
  const title = make("h2", { id: "photo-title", textContent: t("photo.title") }), status = make("p", { role: "status" });
  const dialog = make("dialog", { className: "photo", "aria-labelledby": title.id });
  /** @type {HTMLCanvasElement & {scale: number}} */
  const canvas = Object.assign(make("canvas", { role: "img", "aria-label": t("photo.as_taken") }), { scale: 1 });
  const handles = CORNERS.map(makeHandle), { svg, outline } = makeOutline();
  const stage = make("div", { className: "photo-stage" }, canvas, svg, ...handles);
  const hint = make("p", { id: "photo-hint", className: "hint", textContent: t("photo.hint") });
  const result = make("img", { alt: t("photo.straightened") }), advice = make("ul", { className: "warnings" });
  const straighten = button("photo.straighten", "button first"), back = button("photo.back", "secondary"), use = button("photo.use", "button");
  const cancel = button("photo.cancel", "secondary"), { label, camera } = makeCamera();
  const corners = step("corners", hint, stage, actions(straighten));
  const straight = step("straight", result, advice, actions(use, back));
  dialog.append(title, status, corners, straight, actions(label, cancel));
  const steps = [corners, straight], buttons = [straighten, back, use];
  return { dialog, status, canvas, handles, outline, result, advice, straighten, back, use, cancel, camera, steps, buttons };
}

function makeHandle(name) {
  return make("button", { type: "button", className: "photo-corner", "aria-label": t(`photo.corner.${name}`), "aria-describedby": "photo-hint" });
}

function makeOutline() {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg"), outline = document.createElementNS(space, "polygon");
  svg.setAttribute("viewBox", "0 0 100 100");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(outline);
  return { svg, outline };
}

function makeCamera() {
  const camera = make("input", { type: "file", accept: "image/*", className: "photo-camera" });
  camera.setAttribute("capture", "environment");
  const label = make("label", { className: "button secondary photo-retake" }, make("span", { textContent: t("photo.retake") }), camera);
  return { label, camera };
}

const step = (name, ...parts) => make("div", { "data-step": name }, ...parts);
const actions = (...parts) => make("div", { className: "actions" }, ...parts);
const button = (key, className = "") => make("button", { type: "button", className, textContent: t(key) });

function clamp(value, max) {
  return Math.min(Math.max(value, 0), max);
}
