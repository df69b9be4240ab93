// What must be true of the events that a webhook was told of, however often anything was killed.

import assert from "node:assert/strict";

/** Whoever came has gone, and what was occupied is vacated. */
const OPPOSITES = { "user.online": "user.offline", "room.occupied": "room.vacated" };

/** Repeated requests and events have the same id and content. */
export function assertSameRepeats(receiver, name) {
  const requests = new Map();
  for (const { id, events } of receiver.requests(name)) {
    const first = requests.get(id) ?? events;
    assert.deepEqual(events, first, `the request ${id} has changed`);
    requests.set(id, first);
  }
  const about = new Map();
  for (const event of receiver.events(name)) {
    const { type, data } = event;
    if (type !== "message.stored" && type !== "connection.closed") continue;
    const subject = JSON.stringify([type, data.room, data.seq, data.connection]);
    assert.equal(about.get(subject), undefined, `told twice, as two events: ${subject}`);
    about.set(subject, event.id);
  }
}

/** All messages of a room are told, in their order. */
export function assertMessages(receiver, name, room, stored) {
  const told = receiver
    .events(name)
    .filter(({ type, data }) => type === "message.stored" && data.room === room)
    .map(({ data }) => data);
  assert.deepEqual(
    told.map(({ seq, id, msg }) => ({ seq, id, msg })),
    stored.map(({ seq, id, msg }) => ({ seq, id, msg })),
    "every message is told, in order",
  );
}

/** Users and rooms come and go in turns, and are gone in the end. */
export function assertPresence(receiver, name) {
  const states = new Map();
  for (const { type, space, data } of receiver.events(name)) {
    const begins = type in OPPOSITES;
    if (!begins && !Object.values(OPPOSITES).includes(type)) continue;
    const kind = begins ? OPPOSITES[type] : type;
    const subject = JSON.stringify([kind, space, data.user ?? data.room]);
    assert.notEqual(states.get(subject) ?? false, begins, `two times ${type} of ${subject}`);
    states.set(subject, begins);
  }
  assert.ok(0 < states.size, "somebody came and left");
  assert.deepEqual(stillPresent(states), [], "all are gone");
}

/** Whether everybody has gone, as far as a webhook was told. */
export function areAllGone(receiver, name) {
  const count = (wanted) => receiver.events(name).filter(({ type }) => type === wanted).length;
  return Object.entries(OPPOSITES).every(([begin, end]) => count(begin) === count(end));
}

function stillPresent(states) {
  return [...states].filter(([, isPresent]) => isPresent).map(([subject]) => subject);
}
