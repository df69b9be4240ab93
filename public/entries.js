// Folds the entries of a conversation's log into its messages. No DOM, network or clock.
//
// An entry is flat: the data of an event with its name in `event`, as in `history` and `missed`.
// Messages, edits, deletions and topics share one sequence of `seq`, and the log keeps all of them: so a
// gap is detected, and an edit that arrives before its message is not lost. The result is the same
// in any order of arrival, and with repeated entries.

export const newLog = () => ({
  entries: [], // sorted by `seq`
  last: 0, // the highest `seq` received
});

/** Folds `entry` into `log`; returns whether it was new. */
export function fold(log, entry) {
  const { seq } = entry;
  log.last = Math.max(log.last, seq);
  const at = placeOf(log, seq);
  const known = log.entries[at]?.seq === seq ? log.entries[at] : null;
  if (!isMessage(entry)) {
    const change = changeFrom(entry);
    if (!known) log.entries.splice(at, 0, change);
    const message = log.entries[placeOf(log, change.of)];
    if (message?.seq === change.of && isMessage(message)) apply(message, change);
  } else if (known) {
    merge(known, messageFrom(entry));
  } else {
    const message = messageFrom(entry);
    log.entries.splice(at, 0, message);
    const changes = log.entries.slice(at + 1).filter((it) => it.of === seq);
    for (const change of changes) apply(message, change);
  }
  return !known;
}

/** The messages, oldest first: `{seq, id, author, at, body, editedAt, deleted, deletedBy}`. */
export const messages = (log) => log.entries.filter(isMessage);

/** Whether an entry, as it came or as the log has it, is a message. */
export const isMessage = ({ of, event }) => of === undefined && event !== "topic";

/** The message at `seq`, if the log has it. */
export function messageAt(log, seq) {
  const found = log.entries[placeOf(log, seq)];
  return found?.seq === seq && isMessage(found) ? found : null;
}

/** The `seq` before the first gap, or null. */
export function gapAfter({ entries }) {
  const at = entries.findIndex((it, i) => i > 0 && it.seq !== entries[i - 1].seq + 1);
  return at < 0 ? null : entries[at - 1].seq;
}

/** The author, for every kind of event. */
export const authorOf = ({ username, user }) => username ?? user;

function messageFrom(entry) {
  const { event, seq, id, at, editedAt = null, deleted = false, later = null } = entry;
  const body = deleted ? null : event === "new message" ? entry.msg : entry.data;
  const author = authorOf(entry);
  return { seq, id, author, at, body, editedAt, deleted, deletedBy: null, later, version: 0 };
}

/** An edit, a deletion or a topic, which changes none. An edit that another one followed has no text. */
function changeFrom({ event, seq, of = 0, at, user, msg }) {
  return { seq, of, at, body: msg, deleted: event === "message deleted", by: user };
}

function apply(message, change) {
  if (change.deleted) return applyDeletion(message, change.by);
  if (change.body === undefined) return;
  // A message from history may be newer than an edit that arrives later.
  const isOlder = change.seq <= message.version || change.at < (message.editedAt ?? "");
  if (message.deleted || isOlder) return;
  Object.assign(message, { body: change.body, editedAt: change.at, version: change.seq });
}

/** Takes over the newer fields of another copy of the same message. */
function merge(message, copy) {
  if (copy.deleted) return applyDeletion(message, null);
  if (message.deleted || (copy.editedAt ?? "") <= (message.editedAt ?? "")) return;
  Object.assign(message, { body: copy.body, editedAt: copy.editedAt });
}

function applyDeletion(message, by) {
  const deletedBy = message.deletedBy ?? by;
  Object.assign(message, { body: null, editedAt: null, deleted: true, deletedBy });
}

/** The index of `seq`, or where to insert it. Most entries are the newest. */
function placeOf({ entries }, seq) {
  if (entries.length === 0 || entries.at(-1).seq < seq) return entries.length;
  let [low, high] = [0, entries.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (entries[middle].seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
