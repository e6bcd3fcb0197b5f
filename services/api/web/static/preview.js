// Previews an image before it is a case: nothing is stored, nothing is submitted.

import { ask } from "./session.js";

/**
 * The answer of POST /v1/previews with its `preview` as a PNG Blob. Raises Problem as `ask` does. `corners` are four [x, y]
 * in pixels of the upright photo, clockwise from the upper left.
 *
 * @param {Blob} file
 * @param {{csrf?: string, frame?: number, photo?: boolean, corners?: number[][]}} [options]
 */
export async function fetchPreview(file, { csrf, frame, photo = false, corners } = {}) {
  const body = new FormData();
  body.set("image", file);
  if (frame) body.set("frame", String(frame));
  if (photo) body.set("photo", "true");
  if (corners) body.set("corners", JSON.stringify(corners));
  const answer = await ask("POST", "/v1/previews", { body, csrf });
  return { ...answer, preview: blobOf(answer.preview) };
}

function blobOf({ base64, media_type: type }) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type });
}
