// Who types: what is said of the user to the others, and how long theirs is shown.

import { placeOf } from "./state.js";

// The server lets one through in this time, and ends it by itself after a longer one.
const AGAIN_WAIT_MS = 3_000;
const SHOWN_MS = 6_000;

/** `types(talk)` at each key; `stops()` when the field is empty, left or sent. */
export function makeTypist({ request }) {
  const toldAt = new Map();
  let typingIn = null;

  function types(talk) {
    if (typingIn !== talk) stops();
    const now = performance.now();
    if (now - (toldAt.get(talk.key) ?? -Infinity) < AGAIN_WAIT_MS) return;
    toldAt.set(talk.key, now);
    typingIn = talk;
    tell(talk, true);
  }

  function stops() {
    if (typingIn) tell(typingIn, false);
    typingIn = null;
  }

  function tell(talk, typing) {
    const { room, with: to } = placeOf(talk);
    // Nobody waits for it, and a refusal helps nobody.
    request("typing", { room, to, typing }).catch(() => {});
  }

  return { types, stops };
}

/** Calls `forget(event)` when nothing was heard after a `typing` for as long as it may be shown. */
export function makeFading(forget) {
  const timers = new Map();
  return function heard(event) {
    const key = JSON.stringify([event.room, event.with, event.user]);
    clearTimeout(timers.get(key));
    timers.delete(key);
    if (!event.typing) return;
    const fade = () => {
      timers.delete(key);
      forget(event);
    };
    timers.set(key, setTimeout(fade, SHOWN_MS));
  };
}
