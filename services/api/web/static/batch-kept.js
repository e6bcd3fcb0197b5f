// What a tab keeps of its batch, so that it can go on after a reload: no image, no file name, no number of a patient.

import { sha256 } from "./hashing.js";

const PLACE = "sera-batch";

// Stable for an image in a batch: by its content, or where the browser keeps that for secure addresses only, its name,
// size and date; either way no name stands in it.
export async function digestOf(file) {
  return await sha256(file) ?? mixed(`${file.name}\n${file.size}\n${file.lastModified}`);
}

export async function keyOf(label, digest) {
  const told = `${label}\n${digest}`;
  return `batch-${await sha256(new Blob([told])) ?? mixed(told)}`;
}

/**
 * @typedef {{mm?: number | null, case?: string | null}} KeptImage
 * @typedef {{person: string, label: string, images: Record<string, KeptImage>, csv?: boolean, priority?: string}} Batch
 */

/**
 * Null where nothing was begun, or by somebody else.
 *
 * @param {string} person
 * @returns {Batch | null}
 */
export function kept(person) {
  try {
    const found = JSON.parse(sessionStorage.getItem(PLACE) ?? "null");
    return found?.person === person ? found : null;
  } catch {
    return null;
  }
}

/** @param {Batch} batch */
export const keep = (batch) => sessionStorage.setItem(PLACE, JSON.stringify(batch));
export const forget = () => sessionStorage.removeItem(PLACE);

// FNV-1a over 2 x 64 bits with different offsets.
function mixed(text) {
  const letters = new TextEncoder().encode(text);
  return [0xcbf29ce484222325n, 0x9e3779b97f4a7c15n].map((hash) => {
    for (const letter of letters) hash = BigInt.asUintN(64, (hash ^ BigInt(letter)) * 0x100000001b3n);
    return hash.toString(16).padStart(16, "0");
  }).join("");
}
