// The states of what is edited, for undo and redo.

const MAX_STATES = 100;

/** @template State */
export class History {
  /** @param {State} initial */
  constructor(initial) {
    this.states = [initial];
    this.index = 0;
  }

  get state() { return this.states[this.index]; }
  get canUndo() { return this.index > 0; }
  get canRedo() { return this.index < this.states.length - 1; }

  // Ends the states that were undone.
  /** @param {State} state */
  push(state) {
    this.states = [...this.states.slice(0, this.index + 1), state].slice(-MAX_STATES);
    this.index = this.states.length - 1;
  }

  undo() { return this.step(-1, this.canUndo); }
  redo() { return this.step(1, this.canRedo); }

  /** @param {number} step @param {boolean} isPossible */
  step(step, isPossible) {
    if (isPossible) this.index += step;
    return isPossible;
  }
}
