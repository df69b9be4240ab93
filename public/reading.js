// Reports the read position to the server: at once, and then at most once per interval.

import { isBeingRead, opened, placeOf } from "./state.js";

const REPORT_INTERVAL_MS = 300;

/** `refresh()` marks visible messages as read; to be called when visibility may have changed. */
export function makeReader({ state, ask }) {
  const due = new Set();
  let timer = null;

  function refresh() {
    for (const talk of [opened(state), state.inbox]) {
      if (!talk.loaded || !isBeingRead(state, talk) || talk.lastOfOthers <= (talk.read ?? 0))
        continue;
      Object.assign(talk, { read: talk.last, unread: 0 });
      due.add(talk);
    }
    if (timer === null) report();
  }

  function report() {
    timer = due.size > 0 ? setTimeout(report, REPORT_INTERVAL_MS) : null;
    for (const talk of due) {
      // After a reconnect, `welcome` has the counters, and `refresh` is called again.
      ask("read", { ...placeOf(talk), seq: talk.read }).catch(() => {});
    }
    due.clear();
  }

  return { refresh };
}
