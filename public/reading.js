// Tells the server what was read: at once, and then once for all that comes within a moment.

import { isUnderEyes, opened, placeOf } from "./state.js";

const TELL_WAIT_MS = 300;

/** `look()` notes what lies under the reader's eyes; call it when that may be another. */
export function makeReader({ state, ask }) {
  const due = new Set();
  let timer = null;

  function look() {
    for (const talk of [opened(state), state.inbox]) {
      if (!talk.loaded || !isUnderEyes(state, talk) || talk.heard <= (talk.read ?? 0)) continue;
      Object.assign(talk, { read: talk.last, unread: 0 });
      due.add(talk);
    }
    if (timer === null) tell();
  }

  function tell() {
    timer = due.size > 0 ? setTimeout(tell, TELL_WAIT_MS) : null;
    for (const talk of due) {
      // Who is offline is told by the next `welcome` how it stands, and looks again.
      ask("read", { ...placeOf(talk), seq: talk.read }).catch(() => {});
    }
    due.clear();
  }

  return { look };
}
