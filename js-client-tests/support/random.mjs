// A seeded random number generator, the same in every run: mulberry32.

export class Random {
  #state;

  constructor(seed) {
    this.#state = seed;
  }

  /** An integer from 0 to `count - 1`. */
  below(count) {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * count);
  }

  /** True once in `count` calls on average. */
  oneIn(count) {
    return this.below(count) === 0;
  }

  /** A random element of a list, or nothing if it is empty. */
  pick(list) {
    return list[this.below(list.length)];
  }
}
