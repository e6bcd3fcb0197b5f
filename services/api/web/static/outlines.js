// The outlines that SERA would read on a kept preview: what it finds by itself, inside a box, or at a point. Always optional.

import { Problem, byId } from "./session.js";
import { language, t } from "./words.js";

const WAIT_S = 10, TIMEOUT_MS = 20_000, SETTLE_MS = 300;
const SILENT = new Set(["no-outline-network", "no-live-model"]);

/**
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {{polygon: Point[], probability: number | null}} Outline
 * @typedef {{outlines: Outline[], source: "reader" | "calipers" | "network"}} Answer
 * @typedef {{box: Box} | {point: Point}} Prompt
 */

export class Outlines {
  /** @type {string | null} */
  link = null;
  stop = new AbortController();
  // Whether SERA looks for the nodule by itself; false where it reads the whole image.
  searches = false;

  /**
   * @param {import("./viewer.js").Viewer} viewer
   * @param {() => void} onChange  called when it is known what will be read without the reader
   */
  constructor(viewer, onChange) {
    this.viewer = viewer;
    this.onChange = onChange;
  }

  // Forgets the outlines, and asks for those of this link; null for a preview that is not kept.
  /** @param {string | null} link */
  show(link) {
    this.link = link;
    this.searches = link !== null;
    this.ask(0);
  }

  // Asks for the outline inside the box as it is now, or for all that SERA finds. An outline of the reader needs none.
  /** @param {number} [settleMs] */
  async ask(settleMs = SETTLE_MS) {
    this.stop.abort();
    this.stop = new AbortController();
    const { signal } = this.stop, { box, polygon } = this.viewer.marks;
    this.say("");
    this.viewer.propose([]);
    if (!this.link || polygon) return;
    this.say(t(box ? "reader.outlines.tracing" : "reader.outlines.looking"));
    try {
      await pause(settleMs, signal);
      this.propose(await fetchOutlines(this.link, box && { box }, signal), box);
    } catch (problem) {
      if (signal.aborted) return;
      this.giveUp(problem, box);
    }
    this.onChange();
  }

  /** @param {Answer} answer @param {Box | null} box */
  propose({ outlines, source }, box) {
    this.viewer.propose(outlines.map(({ polygon }) => polygon));
    if (box) this.say(t("reader.outlines.traced"));
    else if (!outlines.length) this.say(t("reader.outlines.none"));
    else if (source === "calipers") this.say(t("reader.outlines.calipers"));
    else this.say(`${outlines.length === 1 ? t("reader.outlines.one") : t("reader.outlines.several", { count: outlines.length })} ${likelihoods(outlines)}`);
  }

  giveUp(problem, box) {
    const isImpossible = SILENT.has(problem.code);
    if (isImpossible) this.link = null;
    if (isImpossible || !box) this.searches = false;
    this.say(isImpossible ? "" : t("reader.outlines.missing"));
  }

  // The outline of the nodule at a point, or null. Raises Problem.
  /** @param {Point} point @returns {Promise<Point[] | null>} */
  async at(point) {
    this.stop.abort();
    this.stop = new AbortController();
    const { signal } = this.stop;
    this.say(t("reader.outlines.looking"));
    try {
      const outlines = await this.fetchAt(point, signal);
      this.say(t(outlines.length ? "reader.outlines.at_point" : "reader.outlines.none_at_point"));
      return outlines[0]?.polygon ?? null;
    } catch (problem) {
      if (!signal.aborted) this.say(problem.message);
      throw problem;
    }
  }

  /** @param {Point} point @param {AbortSignal} signal */
  async fetchAt(point, signal) {
    if (!this.link) throw new Problem({ detail: t("reader.outlines.no_network"), code: "no-outline-network" });
    const rounded = /** @type {Point} */ (point.map((length) => Math.round(length * 10) / 10));
    return (await fetchOutlines(this.link, { point: rounded }, signal)).outlines;
  }

  say(text) {
    byId("outlines-said").textContent = text;
  }
}

/** @param {Outline[]} outlines */
function likelihoods(outlines) {
  if (outlines.length === 1 && outlines[0].probability !== null) return t("reader.outlines.likelihood_one", { per_cent: Math.round(100 * outlines[0].probability) });
  const shown = outlines.map(({ probability }, index) => (probability === null ? null : t("reader.outlines.likelihood", { number: index + 1, per_cent: Math.round(100 * probability) })));
  return shown.filter(Boolean).join(" · ");
}

/**
 * Waits until a worker has drawn the outlines. Raises Problem.
 *
 * @param {string} link
 * @param {Prompt | null} prompt
 * @param {AbortSignal} signal
 * @returns {Promise<Answer>}
 */
async function fetchOutlines(link, prompt, signal) {
  const query = new URLSearchParams({ wait: String(WAIT_S), ...(prompt && { roi: JSON.stringify(prompt) }) });
  const deadline = performance.now() + TIMEOUT_MS;
  while (performance.now() < deadline) {
    const answer = await fetch(`${link}?${query}`, { headers: { "Accept-Language": language }, signal });
    if (answer.status === 200) return answer.json();
    const later = Number(answer.headers.get("Retry-After")) || 1;
    if (answer.status !== 202 && answer.status !== 429) throw new Problem(await answer.json(), answer.status, later);
    await pause(1000 * later, signal);
  }
  throw new Problem({ detail: t("reader.outlines.missing"), code: "late" });
}

/** @param {number} ms @param {AbortSignal} signal @returns {Promise<void>} */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });
}
