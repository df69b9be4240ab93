// A load in time: so many a second, or one thing every second, and how long a fault lasts. Tests wait
// for events, never for this.

import { setInterval, setTimeout } from "node:timers/promises";

/** Ticks for `for await`, one in each `ms` milliseconds, until the loop is left. */
export function interval(ms) {
  return setInterval(ms);
}

/** A fault that is to last so long, or a client that waits before it tries again. */
export function delay(ms) {
  return setTimeout(ms);
}
