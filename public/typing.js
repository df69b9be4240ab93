// Typing: announces the user's own, and hides that of others after a timeout.

import { placeOf } from "./state.js";

// The server forwards one announcement per interval, and ends typing after a longer timeout.
const REPEAT_MS = 3_000;
const SHOWN_MS = 6_000;

/** `types(talk)` is called at each key; `stops()` when the field is empty, left or sent. */
export function makeTypingSender({ request }) {
  const announcedAt = new Map();
  let typingIn = null;

  function types(talk) {
    if (typingIn !== talk) stops();
    const now = performance.now();
    if (now - (announcedAt.get(talk.key) ?? -Infinity) < REPEAT_MS) return;
    announcedAt.set(talk.key, now);
    typingIn = talk;
    announce(talk, true);
  }

  function stops() {
    if (typingIn) announce(typingIn, false);
    typingIn = null;
  }

  function announce(talk, typing) {
    const { room, with: to } = placeOf(talk);
    // The answer is not needed, and a refusal has no consequence.
    request("typing", { room, to, typing }).catch(() => {});
  }

  return { types, stops };
}

/** Calls `forget(event)` when a `typing` was not repeated for as long as it is shown. */
export function makeTypingExpiry(forget) {
  const timers = new Map();
  return function lastOfOthers(event) {
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
