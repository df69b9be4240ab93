// What the page knows, and what can be said of it, without DOM, network or clock.
//
// A conversation keeps a window of its log, sorted by `seq` and without holes. `last` is the newest
// `seq` received and goes to the server as `since`; `read` and `unread` are what the server says,
// carried on by what comes.

import { authorOf, fold, isMessage, messageAt, messages, newLog } from "./entries.js";

export const LOBBY = "lobby";

// Entries kept for a conversation nobody scrolls in. Above the first, it is cut to the second;
// what is cut comes back from the server when the reader scrolls up.
const ENTRIES_MAX = 600;
const ENTRIES_KEPT = 300;

export const roomKey = (room) => `room:${room}`;
export const directKey = (user) => `with:${user}`;

export function newState() {
  return {
    user: null,
    shownAs: null, // what the back end calls the user, when it is not the name on the wire
    admin: false, // an admin in every room
    limits: null,
    epoch: null, // which database the server has
    link: "connecting", // connecting, online, reconnecting, offline
    closing: null, // why the server ended the connection, until it is back
    notice: null, // what happened that belongs to no control
    open: roomKey(LOBBY),
    visible: true, // the page is on screen
    pinned: true, // the reader is at the newest message
    conversations: new Map(),
    inbox: newConversation("inbox:"),
    inboxOpen: false,
    people: new Map(), // what the server said of somebody: {online, devices, lastSeen}
  };
}

const KINDS = { room: "room", with: "direct", inbox: "inbox" };

function newConversation(key) {
  const [scheme] = key.split(":", 1);
  return {
    ...newLog(),
    key,
    kind: KINDS[scheme],
    name: key.slice(scheme.length + 1),
    role: null, // what the user is in this room
    muted: false,
    unread: 0, // messages of others that were not read
    read: null, // the last entry that was; null until it is known
    counted: 0, // the last entry that `unread` knows of
    heard: 0, // the last message of somebody else
    seen: 0, // in a direct conversation, what the other one has read
    mark: null, // where the line "New" is drawn
    loaded: false, // the newest page has come
    more: true, // the server has older ones
    loading: null, // the fetch that is under way
    healed: null, // the last hole that was asked for
    problem: null, // the refusal of its history
    users: null, // names, when the server lists them
    count: 0,
    typists: new Set(),
    draft: "",
    image: null, // what is to be sent with the draft
  };
}

/** The conversation of `key`, made when it is new. */
export function conversation(state, key) {
  if (!state.conversations.has(key)) state.conversations.set(key, newConversation(key));
  return state.conversations.get(key);
}

export const opened = (state) => conversation(state, state.open);

/** How requests name a conversation. */
export function placeOf({ kind, name }) {
  if (kind === "inbox") return { inbox: true };
  return kind === "room" ? { room: name } : { with: name };
}

/** The conversation that an event or an entry belongs to, or its key where there is none yet. */
export function keyOf(state, { room, user, to }) {
  if (room !== undefined) return roomKey(room);
  return directKey(user === state.user ? to : user);
}

export const isAdminOf = (state, { kind, role }) =>
  kind === "room" && (state.admin || role === "owner" || role === "admin");

export const mayWrite = (state, { role }) => state.admin || role !== "reader";

export const hasMessage = (talk, author, id) =>
  messages(talk).some((it) => it.id === id && it.author === author);

/** The user's last message that the other one has read, or nothing. */
export const lastSeen = (state, talk) =>
  messages(talk).findLast((it) => it.author === state.user && it.seq <= talk.seen);

/** Whether somebody is online: true, false, or null when nobody has said. */
export function isOnline(state, name) {
  for (const talk of state.conversations.values()) {
    if (talk.users?.includes(name)) return true;
  }
  const said = state.people.get(name)?.online;
  return said ?? (state.conversations.get(roomKey(LOBBY))?.users ? false : null);
}

/** Whether what is said in `talk` is read as it comes. */
export function isUnderEyes(state, talk) {
  if (!state.visible || !state.user) return false;
  if (talk.kind === "inbox") return state.inboxOpen;
  return talk.key === state.open && state.pinned;
}

/** Adds what just happened. A room that was left in the meantime does not come back by it. */
export function addEntry(state, entry) {
  const key = keyOf(state, entry);
  const isNew = !state.conversations.has(key);
  if (isNew && key.startsWith("room:")) return null;
  const talk = conversation(state, key);
  if (isNew) talk.read = entry.seq - 1;
  addTo(state, talk, entry);
  return talk;
}

/** Adds what just happened in `talk`, and counts it. */
export function addTo(state, talk, entry) {
  const isOlder = talk.loaded && talk.more && entry.seq < (talk.entries[0]?.seq ?? 0);
  if (isOlder && isMessage(entry)) return;
  take(state, talk, entry);
  if (isMessage(entry)) {
    talk.typists.delete(authorOf(entry));
    count(state, talk, entry);
  }
  if (talk.key !== state.open || state.pinned) cut(talk);
}

/** Adds a page of `history`; `more` is given when the page's beginning is the window's. */
export function addPage(state, talk, page, more) {
  for (const entry of page) take(state, talk, entry);
  if (more !== undefined) talk.more = more;
}

function take(state, talk, entry) {
  fold(talk, entry);
  if (!isMessage(entry) || authorOf(entry) === state.user) return;
  talk.heard = Math.max(talk.heard, entry.seq);
  // Who answers has read.
  if (talk.kind === "direct") talk.seen = Math.max(talk.seen, entry.seq);
}

function count(state, talk, entry) {
  if (entry.seq <= talk.counted) return;
  talk.counted = entry.seq;
  if (authorOf(entry) === state.user && talk.kind !== "inbox") {
    Object.assign(talk, { read: Math.max(talk.read ?? 0, entry.seq), unread: 0, mark: null });
    return;
  }
  if (talk.unread === 0 && !isUnderEyes(state, talk)) talk.mark = talk.read ?? entry.seq - 1;
  talk.unread += 1;
}

function cut(talk) {
  if (talk.entries.length <= ENTRIES_MAX) return;
  talk.entries.splice(0, talk.entries.length - ENTRIES_KEPT);
  talk.more = true;
}

export function openConversation(state, key) {
  const left = state.conversations.get(state.open);
  if (left?.unread === 0) left.mark = null;
  state.open = key;
  state.pinned = true;
  const talk = conversation(state, key);
  talk.mark = talk.unread > 0 ? talk.read : null;
}

export function closeConversation(state, key) {
  state.conversations.delete(key);
  if (state.open === key) openConversation(state, home(state));
}

/** Where one is without having chosen: the lobby, for whoever is in it. */
function home(state) {
  const rooms = [...state.conversations.values()].filter(({ role }) => role !== null);
  const lobby = roomKey(LOBBY);
  return rooms.length === 0 || rooms.some(({ key }) => key === lobby) ? lobby : rooms[0].key;
}

/** Empties the window, so that its newest page is fetched afresh. */
export function unload(talk) {
  Object.assign(talk, { entries: [], loaded: false, more: true, problem: null, healed: null });
}

/** Sets who is in a room; the server leaves `users` empty when there are too many to list. */
export function setUsers(talk, users, count) {
  talk.users = users.length === 0 && count > 0 ? null : users.toSorted(byName);
  talk.count = count;
}

export const { compare: byName } = new Intl.Collator("en", { numeric: true });

export { messageAt, messages };
