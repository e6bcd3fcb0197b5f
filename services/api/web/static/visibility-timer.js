// Measures how long a page was visible and hidden. A pause counts as hidden.

export class VisibilityTimer {
  #since = 0;
  #paused = false;
  #hidden = document.hidden;
  #spent = { seen_ms: 0, hidden_ms: 0 };

  constructor() {
    document.addEventListener("visibilitychange", () => { this.#tally(); this.#hidden = document.hidden; });
  }

  start() {
    this.#since = performance.now();
    this.#hidden = document.hidden;
    this.#spent = { seen_ms: 0, hidden_ms: 0 };
  }

  pause(on) {
    this.#tally();
    this.#paused = on;
  }

  // Since the start, in whole milliseconds.
  elapsed() {
    this.#tally();
    return { seen_ms: Math.round(this.#spent.seen_ms), hidden_ms: Math.round(this.#spent.hidden_ms) };
  }

  #tally() {
    const now = performance.now();
    this.#spent[this.#hidden || this.#paused ? "hidden_ms" : "seen_ms"] += now - this.#since;
    this.#since = now;
  }
}
