// Folds the server's events into the state of the page.

import { newLog } from "./entries.js";
import * as model from "./state.js";

const { conversation, directKey, roomKey } = model;

/**
 * Folds one event into `state`; returns the conversation whose log changed. Unknown events change
 * nothing.
 */
export function fold(state, event, data) {
  const room = data?.room === undefined ? null : state.conversations.get(roomKey(data.room));
  switch (event) {
    case "new message":
    case "GroupChat":
    case "SingleChat":
    case "message edited":
    case "message deleted":
      return model.addEntry(state, { ...data, event });
    case "topic":
      if (room) room.topic = data.topic;
      return model.addEntry(state, { ...data, event });
    case "notification":
      return notified(state, { ...data, event });
    case "missed":
      if (room) missed(state, room, data);
      return room;
    case "welcome":
      welcomed(state, data);
      break;
    case "membership":
      membershipChanged(state, room, data);
      break;
    case "read":
      readChanged(state, data);
      break;
    case "typing":
      typingChanged(state, data);
      break;
    case "get users":
      if (state.conversations.has(roomKey(model.LOBBY))) {
        model.setUsers(conversation(state, roomKey(model.LOBBY)), data, data.length);
      }
      break;
    case "presence":
      if (room) model.setUsers(room, [], data.count);
      else knowPeople(state, data.users ?? []);
      break;
    case "user joined":
      if (room) joined(room, data.user);
      break;
    case "user left":
      if (room) left(room, data.user);
      break;
    case "closing":
      state.closing = data;
      break;
  }
  return null;
}

/** Stores the answer to the query `presence`. */
export function knowPeople(state, users) {
  for (const { user, ...known } of users) state.people.set(user, known);
}

/** Stops showing that a user types; returns whether it was shown. */
export const stopsTyping = (state, { room, with: other, user }) =>
  talkOf(state, { room, with: other })?.typists.delete(user) ?? false;

/** The conversation that an event refers to, if there is one. */
function talkOf(state, { room, with: other, inbox }) {
  if (inbox) return state.inbox;
  return state.conversations.get(room === undefined ? directKey(other) : roomKey(room));
}

function welcomed(state, welcome) {
  const { user, name = null, admin = false, epoch = null, rooms, directs = [], limits } = welcome;
  Object.assign(state, {
    user,
    shownAs: name,
    admin,
    limits,
    link: "online",
    closing: null,
    kept: false,
  });
  if (state.epoch !== null && epoch !== state.epoch) resetLogs(state);
  state.epoch = epoch;
  state.people.clear();
  const inside = new Set(rooms.map(({ room }) => roomKey(room)));
  for (const talk of state.conversations.values()) {
    talk.typists.clear();
    if (talk.kind === "room" && !inside.has(talk.key)) talk.role = null;
  }
  for (const place of rooms) applyCounters(state, conversation(state, roomKey(place.room)), place);
  for (const place of directs)
    applyCounters(state, conversation(state, directKey(place.with)), place);
  if (welcome.inbox) applyCounters(state, state.inbox, welcome.inbox);
}

/** The server has another database: positions in the old logs are invalid. */
function resetLogs(state) {
  const empty = {
    ...newLog(),
    read: null,
    unread: 0,
    counted: 0,
    lastOfOthers: 0,
    seen: 0,
    mark: null,
  };
  for (const talk of [...state.conversations.values(), state.inbox]) {
    model.unload(talk);
    Object.assign(talk, empty, { entries: [] });
  }
}

/** Takes over what the server says about a conversation. */
function applyCounters(state, talk, place) {
  const { role = talk.role, topic = "", seq, unread, read, muted = false } = place;
  Object.assign(talk, { role, topic, unread, read, muted });
  talk.counted = Math.max(talk.counted, seq);
  if (talk.key === state.open && talk.mark === null && unread > 0) talk.mark = read;
}

/** A change of the user's own membership, by another device or an admin. */
function membershipChanged(state, talk, { room, role, ...rest }) {
  if (role !== null)
    applyCounters(state, talk ?? conversation(state, roomKey(room)), { role, ...rest });
  else if (talk) model.closeConversation(state, talk.key);
}

function readChanged(state, { user, seq, unread, ...place }) {
  const talk = talkOf(state, place);
  if (!talk) return;
  if (user !== state.user) talk.seen = Math.max(talk.seen, seq);
  else if (seq >= (talk.read ?? 0)) Object.assign(talk, { read: seq, unread: unread ?? 0 });
}

function typingChanged(state, { user, typing, ...place }) {
  const talk = talkOf(state, place);
  if (!talk || user === state.user) return;
  if (typing) talk.typists.add(user);
  else talk.typists.delete(user);
}

function notified(state, entry) {
  const { inbox } = state;
  model.addTo(state, inbox, entry);
  inbox.unread = entry.unread;
  return inbox;
}

function missed(state, talk, { messages, recovered, head }) {
  if (recovered === false) {
    model.unload(talk);
    Object.assign(talk, { last: head });
    return;
  }
  for (const entry of messages) model.addTo(state, talk, entry);
}

function joined(talk, user) {
  if (talk.users === null) talk.count += 1;
  else if (!talk.users.includes(user)) model.setUsers(talk, [...talk.users, user], talk.count + 1);
}

function left(talk, user) {
  const others = talk.users?.filter((it) => it !== user);
  if (!others) talk.count = Math.max(0, talk.count - 1);
  else model.setUsers(talk, others, others.length);
}
