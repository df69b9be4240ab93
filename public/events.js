// The server's events, folded into what the page knows.

import { newLog } from "./entries.js";
import * as model from "./state.js";

const { conversation, directKey, roomKey } = model;

/**
 * Folds one event of the server into `state` and answers the conversation whose log it changed.
 * Events it does not know change nothing.
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
    case "notification":
      return notified(state, { ...data, event });
    case "missed":
      if (room) missed(state, room, data);
      return room;
    case "welcome":
      welcomed(state, data);
      break;
    case "membership":
      belongs(state, room, data);
      break;
    case "read":
      hasRead(state, data);
      break;
    case "typing":
      types(state, data);
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

/** Adds what the query `presence` answered. */
export function knowPeople(state, users) {
  for (const { user, ...known } of users) state.people.set(user, known);
}

/** Stops showing that somebody types, and answers whether it was shown. */
export const stopsTyping = (state, { room, with: other, user }) =>
  talkOf(state, { room, with: other })?.typists.delete(user) ?? false;

/** The conversation that an event about somebody's doing is about, if there is one. */
function talkOf(state, { room, with: other, inbox }) {
  if (inbox) return state.inbox;
  return state.conversations.get(room === undefined ? directKey(other) : roomKey(room));
}

function welcomed(state, welcome) {
  const { user, name = null, admin = false, epoch = null, rooms, directs = [], limits } = welcome;
  Object.assign(state, { user, shownAs: name, admin, limits, link: "online", closing: null });
  if (state.epoch !== null && epoch !== state.epoch) startAgain(state);
  state.epoch = epoch;
  state.people.clear();
  const inside = new Set(rooms.map(({ room }) => roomKey(room)));
  for (const talk of state.conversations.values()) {
    talk.typists.clear();
    if (talk.kind === "room" && !inside.has(talk.key)) talk.role = null;
  }
  for (const place of rooms) stands(state, conversation(state, roomKey(place.room)), place);
  for (const place of directs) stands(state, conversation(state, directKey(place.with)), place);
  if (welcome.inbox) stands(state, state.inbox, welcome.inbox);
}

/** The server has another database: no place in the old logs means anything in the new ones. */
function startAgain(state) {
  const nowhere = { ...newLog(), read: null, unread: 0, counted: 0, heard: 0, seen: 0, mark: null };
  for (const talk of [...state.conversations.values(), state.inbox]) {
    model.unload(talk);
    Object.assign(talk, nowhere, { entries: [] });
  }
}

/** How a conversation stands for this user, as the server says it. */
function stands(state, talk, { role = talk.role, seq, unread, read, muted = false }) {
  Object.assign(talk, { role, unread, read, muted });
  talk.counted = Math.max(talk.counted, seq);
  if (talk.key === state.open && talk.mark === null && unread > 0) talk.mark = read;
}

/** One's own membership, as another device or an admin changed it. */
function belongs(state, talk, { room, role, ...rest }) {
  if (role !== null) stands(state, talk ?? conversation(state, roomKey(room)), { role, ...rest });
  else if (talk) model.closeConversation(state, talk.key);
}

function hasRead(state, { user, seq, unread, ...place }) {
  const talk = talkOf(state, place);
  if (!talk) return;
  if (user !== state.user) talk.seen = Math.max(talk.seen, seq);
  else if (seq >= (talk.read ?? 0)) Object.assign(talk, { read: seq, unread: unread ?? 0 });
}

function types(state, { user, typing, ...place }) {
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
