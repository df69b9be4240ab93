// Timers for load and for the length of a fault. Tests wait for events, never for these.

import { setInterval, setTimeout } from "node:timers/promises";

/** Ticks for `for await`, one every `ms` milliseconds, until the loop ends. */
export function interval(ms) {
  return setInterval(ms);
}

/** The length of a fault, or the wait before a client retries. */
export function delay(ms) {
  return setTimeout(ms);
}
