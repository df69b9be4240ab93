// How long a test waits for what must happen, and what it says when it does not.

/** Milliseconds that an event may take on a busy machine. */
export const PATIENCE = 10_000;

/** The same for thousands of events. */
export const LONG_PATIENCE = 60_000;

/** The outcome of `promise`, or a failure that names what was waited for. */
export async function within(what, promise, patience = PATIENCE) {
  const late = new Error(`waited ${patience} ms for ${what}`);
  const signal = AbortSignal.timeout(patience);
  const giveUp = new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(late), { once: true });
  });
  const alive = setInterval(() => {}, patience); // the signal alone would let the process end
  try {
    return await Promise.race([promise, giveUp]);
  } finally {
    clearInterval(alive);
  }
}

/** The arguments of the next `event` of an emitter, whichever library it comes from. */
export function once(emitter, event, patience = PATIENCE) {
  const heard = new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
  return within(`"${event}"`, heard, patience);
}
