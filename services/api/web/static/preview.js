// Previews an image before it is a case: nothing is submitted, and nothing is stored unless it is to be kept.

import { ask } from "./session.js";

const NO_ROOM = new Set(["previews-full", "storage-full"]);

/**
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {{csrf?: string, frame?: number, photo?: boolean, corners?: number[][], keep?: boolean, covers?: readonly Box[]}} PreviewOptions
 */

/**
 * The answer of POST /v1/previews with its `preview` as a PNG Blob. Raises Problem as `ask` does. `source` is a file, or the id of
 * a kept preview. `corners` are four [x, y] in pixels of the upright photo, clockwise from the upper left; `covers` are areas that
 * become black. With `keep` the image is kept for a short time if there is room, and the answer has `links.outlines`.
 *
 * @param {Blob | string} source
 * @param {PreviewOptions} [options]
 */
export async function fetchPreview(source, { csrf, frame, photo = false, corners, keep = false, covers = [] } = {}) {
  const body = new FormData();
  if (typeof source === "string") body.set("preview", source);
  else body.set("image", source);
  if (frame) body.set("frame", String(frame));
  if (photo) body.set("photo", "true");
  if (corners) body.set("corners", JSON.stringify(corners));
  if (covers.length) body.set("covers", JSON.stringify(covers));
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
