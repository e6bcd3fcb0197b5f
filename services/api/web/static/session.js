// Requests to the API for every page. The session itself is in a cookie that no script can read.

import { language, t } from "./words.js";

export const byId = (id) => document.getElementById(id);
export const say = (text, problem = false) => { byId("status").textContent = text; byId("status").classList.toggle("problem", problem); };
// The CSRF token that every change needs; empty before signing in.
export const csrfToken = () => document.querySelector("meta[name=csrf]")?.content ?? "";
// A new idempotency key.
export const newKey = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;

export class Problem extends Error {
  /** @param {{detail: string, code?: string}} body @param {number} [status] @param {number | null} [later] */
  constructor(body, status = 0, later = null) { super(body.detail); this.code = body.code; this.status = status; this.later = later; }
}

/**
 * The answer's JSON. Raises Problem with the next step as its message, and `code`, `status` and `later` (seconds).
 *
 * @param {string} method
 * @param {string} path
 * @param {{json?: unknown, body?: BodyInit, csrf?: string | null, headers?: Record<string, string>, signal?: AbortSignal}} [options]
 * @returns {Promise<any>}
 */
export async function ask(method, path, { json, body, csrf = csrfToken(), headers = {}, signal } = {}) {
  const requestHeaders = { "Accept-Language": language, ...(json !== undefined && { "Content-Type": "application/json" }), ...(method !== "GET" && csrf && { "X-CSRF-Token": csrf }), ...headers };
  let answer;
  try {
    answer = await fetch(path, { method, headers: requestHeaders, body: json === undefined ? body : JSON.stringify(json), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ detail: t("common.away"), code: "away" });
  }
  const data = answer.status === 204 ? null : await answer.json().catch(() => ({ detail: t("common.away") }));
  if (!answer.ok) throw new Problem(data, answer.status, Number(answer.headers.get("Retry-After")) || null);
  return data;
}

// The session of the person who is signed in; null if nobody is.
export async function currentSession() {
  try {
    return await ask("GET", "/v1/session");
  } catch {
    return null;
  }
}
