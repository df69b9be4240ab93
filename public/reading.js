// Reports the read position to the server: at once, and then at most once per interval.

import { isBeingRead, messages, opened, placeOf } from "./state.js";

const REPORT_INTERVAL_MS = 300;

/** `refresh()` marks what is in view as read; to be called when that may have changed. */
export function makeReader({ state, ask }) {
  const due = new Set();
  let timer = null;

  function refresh() {
    if (!state.visible || !state.user) return;
    see(opened(state), state.inView);
    if (isBeingRead(state, state.inbox)) see(state.inbox, state.inbox.last);
    if (timer === null) report();
  }

  /** Everything up to `seq` has been in view. */
  function see(talk, seq) {
    const read = talk.read ?? 0;
    if (!talk.loaded || talk.lastOfOthers <= read || seq <= read) return;
    const others = messages(talk).filter((it) => isOfOthers(it, talk));
    const below = others.filter((it) => it.seq > seq).length;
    // A window before the end says nothing of what follows it.
    const seen = others.filter((it) => it.seq > read && it.seq <= seq).length;
    const unread = talk.newer ? Math.max(0, talk.unread - seen) : below;
    Object.assign(talk, { read: unread === 0 ? talk.last : seq, unread });
    due.add(talk);
  }

  const isOfOthers = ({ author, deleted }, { kind }) =>
    !deleted && (author !== state.user || kind === "inbox");

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
