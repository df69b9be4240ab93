// Chance that is the same in every run: mulberry32.

export class Random {
  #state;

  constructor(seed) {
    this.#state = seed;
  }

  /** A whole number from 0 to `count - 1`. */
  below(count) {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * count);
  }

  /** True once in so many. */
  oneIn(count) {
    return this.below(count) === 0;
  }

  /** One of a list, or nothing of an empty one. */
  pick(list) {
    return list[this.below(list.length)];
  }
}
