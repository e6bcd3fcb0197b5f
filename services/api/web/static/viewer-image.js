// Loads the image of a case for the viewer, with its scale and its frames.

import { Problem } from "./session.js";
import { language, t } from "./words.js";

/**
 * @typedef {import("./geometry.js").Calibration} Calibration
 * @typedef {{image: ImageBitmap, calibration: Calibration | null, frame: number, frames: number}} LoadedImage
 */

/**
 * Raises Problem with the server's reason.
 *
 * @param {string} path
 * @returns {Promise<LoadedImage>}
 */
export async function loadImage(path) {
  const answer = await fetch(path, { headers: { "Accept-Language": language } }).catch(() => { throw new Problem({ detail: t("common.away"), code: "away" }); });
  if (!answer.ok) throw new Problem(await answer.json().catch(() => ({ detail: t("common.away") })), answer.status);
  const { headers } = answer;
  return {
    image: await createImageBitmap(await answer.blob()),
    calibration: calibrationOf(headers.get("X-Image-Calibration")),
    frame: Number(headers.get("X-Image-Frame") ?? 1),
    frames: Number(headers.get("X-Image-Frames") ?? 1),
  };
}

/** @param {string | null} text @returns {Calibration | null} */
function calibrationOf(text) {
  if (!text) return null;
  const [rowMm, columnMm, x, y, width, height] = text.split(" ").map(Number);
  return { rowMm, columnMm, box: [x, y, width, height] };
}

// What the viewer needs to show the frames of a case's loop.
/** @param {string} path @param {LoadedImage} loaded */
export function framesOf(path, { frame, frames }) {
  return { count: frames, current: frame, load: async (number) => (await loadImage(`${path}?frame=${number}`)).image };
}
