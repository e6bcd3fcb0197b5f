// What SERA sees in an image before it is a case: nothing is stored, nothing is submitted.

import { ask } from "./session.js";

/**
 * The answer of POST /v1/looks with `preview` as a PNG Blob; raises Problem as `ask` does. `corners` are [[x, y] * 4] in
 * pixels of the upright photo, clockwise from the upper left.
 *
 * @param {Blob} file
 * @param {{csrf?: string, frame?: number, photo?: boolean, corners?: number[][]}} [options]
 */
export async function look(file, { csrf, frame, photo = false, corners } = {}) {
  const body = new FormData();
  body.set("image", file);
  if (frame) body.set("frame", String(frame));
  if (photo) body.set("photo", "true");
  if (corners) body.set("corners", JSON.stringify(corners));
  const seen = await ask("POST", "/v1/looks", { body, csrf });
  return { ...seen, preview: blobOf(seen.preview) };
}

function blobOf({ base64, media_type: type }) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type });
}
