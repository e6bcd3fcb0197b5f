// The outlines that SERA would read on a kept preview: what it finds by itself, or what it draws inside a box. Always optional.

import { Problem, byId } from "./session.js";
import { language, t } from "./words.js";

const FIRST_PAUSE_MS = 200, QUICK_POLLS = 10, TIMEOUT_MS = 20_000, SETTLE_MS = 300;
const SILENT = new Set(["no-outline-network", "no-live-model"]);

/**
 * @typedef {import("./roi.js").Point} Point
 * @typedef {import("./roi.js").Box} Box
 * @typedef {{polygon: Point[], probability: number | null}} Outline
 * @typedef {{outlines: Outline[], source: "reader" | "calipers" | "network"}} Answer
 */

export class Outlines {
  /** @type {string | null} */
  link = null;
  stop = new AbortController();
  // Whether SERA looks for the nodule by itself; false where it reads the whole image.
  searches = false;

  /**
   * @param {import("./roi.js").RoiCanvas} canvas
   * @param {() => void} onChange  called when an outline was accepted, or it is known what will be read without one
   */
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.onChange = onChange;
    canvas.onPick = (index) => this.accept(index);
  }

  // Forgets the outlines, and asks for those of this link; null for a preview that is not kept.
  /** @param {string | null} link */
  show(link) {
    this.link = link;
    this.searches = link !== null;
    this.ask(0);
  }

  // Asks for the outline inside the box as it is now, or for all that SERA finds.
  /** @param {number} [settleMs] */
  async ask(settleMs = SETTLE_MS) {
    this.stop.abort();
    this.stop = new AbortController();
    const { signal } = this.stop, { box } = this.canvas;
    this.present([], []);
    this.say("");
    if (!this.link) return;
    this.say(t(box ? "reader.outlines.tracing" : "reader.outlines.looking"));
    try {
      await pause(settleMs, signal);
      const answer = await fetchOutlines(this.link, box, signal);
      if (box) this.showTraced(answer);
      else this.propose(answer);
    } catch (problem) {
      if (signal.aborted) return;
      const isImpossible = SILENT.has(problem.code);
      if (isImpossible) this.link = null;
      if (isImpossible || !box) this.searches = false;
      this.say(isImpossible ? "" : t("reader.outlines.missing"));
    }
    this.onChange();
  }

  /** @param {Answer} answer */
  propose({ outlines, source }) {
    this.present(outlines, []);
    if (!outlines.length) this.say(t("reader.outlines.none"));
    else if (source === "calipers") this.say(t("reader.outlines.calipers"));
    else this.say(outlines.length === 1 ? t("reader.outlines.one") : t("reader.outlines.several", { count: outlines.length }));
  }

  /** @param {Answer} answer */
  showTraced({ outlines }) {
    this.present([], outlines.map(({ polygon }) => polygon));
    this.say(t("reader.outlines.traced"));
  }

  /** @param {Outline[]} outlines @param {Point[][]} traced */
  present(outlines, traced) {
    this.canvas.setProposals(outlines.map(({ polygon }) => polygon), traced);
    byId("outlines").replaceChildren(...outlines.map((outline, index) => this.button(outline, index)));
    byId("outlines").hidden = !outlines.length;
  }

  /** @param {Outline} outline @param {number} index */
  button({ probability }, index) {
    const likelihood = probability === null ? "" : t("reader.outlines.likelihood", { per_cent: Math.round(100 * probability) });
    const text = `${t("reader.outlines.use", { number: index + 1 })} ${likelihood}`.trim();
    const button = Object.assign(document.createElement("button"), { type: "button", className: "small", textContent: text });
    button.addEventListener("click", () => this.accept(index));
    return button;
  }

  /** @param {number} index */
  accept(index) {
    this.canvas.accept(index);
    this.say(t("reader.outlines.accepted", { number: index + 1 }));
    for (const [place, button] of [...byId("outlines").children].entries()) button.setAttribute("aria-pressed", String(place === index));
    this.onChange();
  }

  // Shows the proposals again after the accepted one was removed.
  release() {
    for (const button of byId("outlines").children) button.setAttribute("aria-pressed", "false");
    this.say(t("reader.outlines.released"));
  }

  say(text) {
    byId("outlines-said").textContent = text;
  }
}

/**
 * Polls until a worker has drawn the outlines. Raises Problem.
 *
 * @param {string} link
 * @param {Box | null} box
 * @param {AbortSignal} signal
 * @returns {Promise<Answer>}
 */
async function fetchOutlines(link, box, signal) {
  const address = box ? `${link}?roi=${encodeURIComponent(JSON.stringify({ box }))}` : link;
  const deadline = performance.now() + TIMEOUT_MS;
  for (let polls = 0; performance.now() < deadline; polls += 1) {
    const answer = await fetch(address, { headers: { "Accept-Language": language }, signal });
    if (answer.status === 200) return answer.json();
    const later = Number(answer.headers.get("Retry-After")) || 1;
    if (answer.status !== 202 && answer.status !== 429) throw new Problem(await answer.json(), answer.status, later);
    await pause(polls < QUICK_POLLS && answer.status === 202 ? FIRST_PAUSE_MS : 1000 * later, signal);
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
