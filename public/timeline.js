// The layout of a conversation: days, the line "New", and messages grouped by author.

import { sourceOf } from "./body.js";
import { messages } from "./entries.js";
import { hasMessage, isAdminOf, isOwn, lastSeen } from "./state.js";
import { dayOf } from "./words.js";

const GROUP_GAP_MS = 5 * 60_000;

/** The rows of `talk`, oldest first; `pending` are the outbox entries that follow them. */
export function timeline(state, talk, pending, now) {
  const rows = [];
  const isAdmin = isAdminOf(state, talk);
  const seen = talk.kind === "direct" ? lastSeen(state, talk) : null;
  let before = null;
  for (const item of [...messages(talk).map(stored), ...unanswered(state, talk, pending)]) {
    const { message } = item;
    const own = item.status !== "stored" || isOwn(state, message);
    const key = `${own ? "" : message.author}/${message.id}`;
    const row = { ...item, kind: "message", key, own, seen: message === seen };
    const isStored = item.status === "stored" && !message.deleted;
    row.mayEdit = isStored && own && sourceOf(message.body) !== "";
    row.mayDelete = isStored && (own || isAdmin);
    row.day = dayOf(message.at, now);
    const isNewDay = row.day !== before?.day;
    const isFirstNew = isAfterMark(talk, row) && !isAfterMark(talk, before);
    if (isNewDay) rows.push({ kind: "day", key: `day/${key}`, text: row.day });
    if (isFirstNew) rows.push({ kind: "new", key: `new/${key}`, text: "New" });
    row.first = isNewDay || isFirstNew || !belongTogether(before, row);
    row.last = true;
    if (before) before.last = row.first;
    rows.push(row);
    before = row;
  }
  return rows;
}

const stored = (message) => ({ message, status: "stored" });

function unanswered(state, talk, pending) {
  return pending
    .filter((it) => !hasMessage(talk, state.user, it.id))
    .map((entry) => ({
      message: { id: entry.id, at: entry.at, author: state.user, body: entry.body },
      status: entry.failed ? "failed" : "pending",
      entry,
    }));
}

function isAfterMark(talk, row) {
  return talk.mark !== null && row !== null && row.message.seq > talk.mark;
}

function belongTogether(before, row) {
  return (
    before?.message.author === row.message.author
    && before.own === row.own
    && new Date(row.message.at) - new Date(before.message.at) < GROUP_GAP_MS
  );
}
