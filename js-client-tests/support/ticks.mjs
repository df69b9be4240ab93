// A load in time: so many a second, or one thing every second. Tests wait for events, never for this.

import { setInterval } from "node:timers/promises";

/** Ticks for `for await`, one in each `ms` milliseconds, until the loop is left. */
export function every(ms) {
  return setInterval(ms);
}
