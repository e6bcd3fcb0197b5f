// Talks to the API for every page. The session itself is in a cookie that no script can read.

import { language, t } from "./words.js";

export const byId = (id) => document.getElementById(id);
export const say = (text, problem = false) => { byId("status").textContent = text; byId("status").classList.toggle("problem", problem); };
// What a change of anything is proven with; empty before signing in.
export const proof = () => document.querySelector("meta[name=csrf]")?.content ?? "";
export const once = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;

export class Problem extends Error {
  /** @param {{detail: string, code?: string}} told @param {number} [status] @param {number | null} [later] */
  constructor(told, status = 0, later = null) { super(told.detail); this.code = told.code; this.status = status; this.later = later; }
}

/**
 * The answer's JSON. Raises Problem, with the next step as its message, its `code`, `status` and `later` (seconds).
 *
 * @param {string} method
 * @param {string} path
 * @param {{json?: unknown, body?: BodyInit, csrf?: string | null, headers?: Record<string, string>, signal?: AbortSignal}} [sending]
 * @returns {Promise<any>}
 */
export async function ask(method, path, { json, body, csrf = proof(), headers = {}, signal } = {}) {
  const sent = { "Accept-Language": language, ...(json !== undefined && { "Content-Type": "application/json" }), ...(method !== "GET" && csrf && { "X-CSRF-Token": csrf }), ...headers };
  let answer;
  try {
    answer = await fetch(path, { method, headers: sent, body: json === undefined ? body : JSON.stringify(json), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ detail: t("common.away"), code: "away" });
  }
  const told = answer.status === 204 ? null : await answer.json().catch(() => ({ detail: t("common.away") }));
  if (!answer.ok) throw new Problem(told, answer.status, Number(answer.headers.get("Retry-After")) || null);
  return told;
}

// Null if nobody has.
export async function who() {
  try {
    return await ask("GET", "/v1/session");
  } catch {
    return null;
  }
}
