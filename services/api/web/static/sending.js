// Sends many things, a few at a time. What is asked to come later waits, and everything behind it waits with it.

const MOST = 4;
const TRIES_AWAY = 6;
const LONGEST_S = 60;

/** @template T */
export class Sending {
  /** @type {T[]} */
  queue = [];
  under = 0;
  until = 0;
  halt = new AbortController();

  /**
   * @param {(item: T) => Promise<any>} send  resolves to the answer or throws a Problem
   * @param {(item: T, state: string, outcome?: any) => void} told  hears each step: queued, sending, later, sent, refused,
   *   or ready again after a stop; the outcome is the answer or the problem
   * @param {number} most
   */
  constructor(send, told, most = MOST) {
    this.send = send;
    this.told = told;
    this.most = most;
  }

  get busy() { return this.under + this.queue.length > 0; }

  /** @param {T[]} items */
  add(items) {
    if (this.halt.signal.aborted) this.halt = new AbortController();
    this.queue.push(...items);
    for (const item of items) this.told(item, "queued");
    this.fill();
  }

  // What is on its way is waited for; the rest is ready again.
  stop() {
    this.halt.abort();
    for (const item of this.queue.splice(0)) this.told(item, "ready");
  }

  fill() {
    while (this.under < this.most && this.queue.length > 0) this.run(/** @type {T} */ (this.queue.shift()));
  }

  /** @param {T} item */
  async run(item) {
    this.under += 1;
    const [state, outcome] = await this.deliver(item, this.halt.signal);
    this.under -= 1;
    this.told(item, state, outcome);
    this.fill();
  }

  /** @param {T} item @param {AbortSignal} halt @returns {Promise<[string, any?]>} */
  async deliver(item, halt) {
    for (let away = 0; ;) {
      await pause(this.until - Date.now(), halt);
      if (halt.aborted) return ["ready"];
      this.told(item, "sending");
      try {
        return ["sent", await this.send(item)];
      } catch (problem) {
        if (problem.code === "away") away += 1;
        if (away > TRIES_AWAY || !(problem.later || problem.code === "away")) return ["refused", problem];
        this.until = Math.max(this.until, Date.now() + 1000 * (problem.later ?? Math.min(2 ** away, LONGEST_S)));
        this.told(item, "later", problem);
      }
    }
  }
}

function pause(ms, halt) {
  if (ms <= 0 || halt.aborted) return null;
  return new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
    const timer = setTimeout(resolve, ms);
    halt.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
