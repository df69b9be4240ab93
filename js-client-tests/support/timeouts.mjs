// Timeouts for everything that a test waits for.

/** Milliseconds that an event may take on a busy machine. */
export const TIMEOUT_MS = 10_000;

/** The same for thousands of events. */
export const LONG_TIMEOUT_MS = 60_000;

/** The result of `promise`, or an error that names what did not happen in time. */
export async function withTimeout(what, promise, timeoutMs = TIMEOUT_MS) {
  const late = new Error(`waited ${timeoutMs} ms for ${what}`);
  const signal = AbortSignal.timeout(timeoutMs);
  const giveUp = new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(late), { once: true });
  });
  const alive = setInterval(() => {}, timeoutMs); // the signal alone would let the process end
  try {
    return await Promise.race([promise, giveUp]);
  } finally {
    clearInterval(alive);
  }
}

/** The arguments of the next `event` of any kind of emitter. */
export function once(emitter, event, timeoutMs = TIMEOUT_MS) {
  const received = new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
  return withTimeout(`"${event}"`, received, timeoutMs);
}
