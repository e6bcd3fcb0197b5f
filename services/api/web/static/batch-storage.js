// The state of a batch in the tab's session storage, so that it continues after a reload.
// It has no image, no file name and no patient number.

import { sha256 } from "./hashing.js";

const STORAGE_KEY = "sera-batch";

// A stable digest of an image: of its content or, where the browser hashes on secure addresses only, of its name, size
// and date. The name itself is not in it.
export async function digestOf(file) {
  return await sha256(file) ?? fnvHash(`${file.name}\n${file.size}\n${file.lastModified}`);
}

export async function keyOf(label, digest) {
  const text = `${label}\n${digest}`;
  return `batch-${await sha256(new Blob([text])) ?? fnvHash(text)}`;
}

/**
 * @typedef {{mm?: number | null, case?: string | null}} StoredImage
 * @typedef {{person: string, label: string, images: Record<string, StoredImage>, csv?: boolean, priority?: string}} Batch
 */

/**
 * The stored batch; null if there is none of this person.
 *
 * @param {string} person
 * @returns {Batch | null}
 */
export function loadBatch(person) {
  try {
    const batch = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "null");
    return batch?.person === person ? batch : null;
  } catch {
    return null;
  }
}

/** @param {Batch} batch */
export const saveBatch = (batch) => sessionStorage.setItem(STORAGE_KEY, JSON.stringify(batch));
export const removeBatch = () => sessionStorage.removeItem(STORAGE_KEY);

// FNV-1a over 2 x 64 bits with different offsets.
function fnvHash(text) {
  const letters = new TextEncoder().encode(text);
  return [0xcbf29ce484222325n, 0x9e3779b97f4a7c15n].map((hash) => {
    for (const letter of letters) hash = BigInt.asUintN(64, (hash ^ BigInt(letter)) * 0x100000001b3n);
    return hash.toString(16).padStart(16, "0");
  }).join("");
}
