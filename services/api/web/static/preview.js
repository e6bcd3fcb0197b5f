// Previews an image before it is a case: nothing is submitted, and nothing is stored unless it is to be kept.

import { ask } from "./session.js";

const NO_ROOM = new Set(["previews-full", "storage-full"]);

/**
 * The answer of POST /v1/previews with its `preview` as a PNG Blob. Raises Problem as `ask` does. `corners` are four [x, y]
 * in pixels of the upright photo, clockwise from the upper left. With `keep` the image is kept for a short time if there is room,
 * and the answer has `links.outlines`.
 *
 * @param {Blob} file
 * @param {{csrf?: string, frame?: number, photo?: boolean, corners?: number[][], keep?: boolean}} [options]
 */
export async function fetchPreview(file, { csrf, frame, photo = false, corners, keep = false } = {}) {
  const body = new FormData();
  body.set("image", file);
  if (frame) body.set("frame", String(frame));
  if (photo) body.set("photo", "true");
  if (corners) body.set("corners", JSON.stringify(corners));
  if (keep) body.set("keep", "true");
  const answer = await ask("POST", "/v1/previews", { body, csrf }).catch((problem) => {
    if (!keep || !NO_ROOM.has(problem.code)) throw problem;
    body.delete("keep");
    return ask("POST", "/v1/previews", { body, csrf });
  });
  return { ...answer, preview: blobOf(answer.preview) };
}

function blobOf({ base64, media_type: type }) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type });
}
