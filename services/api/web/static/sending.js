// Sends many things, a few at a time. What is asked to come later waits, and everything behind it waits with it.

const MOST = 4;
const TRIES_AWAY = 6;
const LONGEST_S = 60;

export class Sending {
  // `send(item)` resolves to the answer or throws a Problem; `told(item, state, answer or problem)` hears each step:
  // queued, sending, later, sent, refused, or ready again after a stop.
  constructor(send, told, most = MOST) {
    Object.assign(this, { send, told, most, queue: [], under: 0, until: 0, halt: new AbortController() });
  }

  get busy() { return this.under + this.queue.length > 0; }

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
    while (this.under < this.most && this.queue.length > 0) this.run(this.queue.shift());
  }

  async run(item) {
    this.under += 1;
    const [state, outcome] = await this.deliver(item, this.halt.signal);
    this.under -= 1;
    this.told(item, state, outcome);
    this.fill();
  }

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
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    halt.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
