// Sends many items, a few at a time. After an answer with Retry-After, the whole queue waits.

const MAX_PARALLEL = 4;
const MAX_FAILURES = 6;
const MAX_PAUSE_S = 60;

/** @template T */
export class UploadQueue {
  /** @type {T[]} */
  queue = [];
  running = 0;
  pausedUntil = 0;
  stopper = new AbortController();

  /**
   * @param {(item: T) => Promise<any>} send  resolves to the answer or throws a Problem
   * @param {(item: T, state: string, outcome?: any) => void} onState  called with each state: queued, sending, busy, sent,
   *   refused, or ready again after a stop; the outcome is the answer or the problem
   * @param {number} maxParallel
   */
  constructor(send, onState, maxParallel = MAX_PARALLEL) {
    this.send = send;
    this.onState = onState;
    this.maxParallel = maxParallel;
  }

  get busy() { return this.running + this.queue.length > 0; }

  /** @param {T[]} items */
  add(items) {
    if (this.stopper.signal.aborted) this.stopper = new AbortController();
    this.queue.push(...items);
    for (const item of items) this.onState(item, "queued");
    this.fill();
  }

  // Requests under way finish; all other items are ready again.
  stop() {
    this.stopper.abort();
    for (const item of this.queue.splice(0)) this.onState(item, "ready");
  }

  fill() {
    while (this.running < this.maxParallel && this.queue.length > 0) this.run(/** @type {T} */ (this.queue.shift()));
  }

  /** @param {T} item */
  async run(item) {
    this.running += 1;
    const [state, outcome] = await this.deliver(item, this.stopper.signal);
    this.running -= 1;
    this.onState(item, state, outcome);
    this.fill();
  }

  /** @param {T} item @param {AbortSignal} halt @returns {Promise<[string, any?]>} */
  async deliver(item, halt) {
    for (let failures = 0; ;) {
      await pause(this.pausedUntil - Date.now(), halt);
      if (halt.aborted) return ["ready"];
      this.onState(item, "sending");
      try {
        return ["sent", await this.send(item)];
      } catch (problem) {
        if (problem.code === "away") failures += 1;
        if (failures > MAX_FAILURES || !(problem.later || problem.code === "away")) return ["refused", problem];
        this.pausedUntil = Math.max(this.pausedUntil, Date.now() + 1000 * (problem.later ?? Math.min(2 ** failures, MAX_PAUSE_S)));
        this.onState(item, "busy", problem);
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
