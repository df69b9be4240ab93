// The state of the page and its queries, without DOM, network or clock.
//
// A conversation keeps a window of its log, sorted by `seq` and without gaps. It reaches to the end
// of the log, unless `newer` says that it is somewhere before. `last` is the newest `seq` received,
// and is sent to the server as `since`; `read` and `unread` come from the server and are updated by
// events.

import { authorOf, fold, isMessage, messageAt, messages, newLog } from "./entries.js";

export const LOBBY = "lobby";

// The maximum number of entries of a conversation while its end is shown, and how many are kept
// when it is exceeded; the rest is loaded again when the user scrolls up.
const ENTRIES_MAX = 600;
const ENTRIES_KEPT = 300;

export const roomKey = (room) => `room:${room}`;
export const directKey = (user) => `with:${user}`;

export function newState() {
  return {
    user: null,
    shownAs: null, // the display name, if it differs from `user`
    guestSince: null, // when the guest came: what is older is of an earlier guest with this name
    admin: false, // an admin in every room
    limits: null,
    epoch: null, // identifies the server's database
    link: "connecting", // connecting, online, reconnecting, offline
    closing: null, // why the server closed the connection, until it is back
    kept: false, // the messages are those that this browser kept
    notice: null, // a text that belongs to no control
    open: roomKey(LOBBY),
    target: null, // the message that the address names: {key, seq}
    visible: true, // the page is visible
    pinned: true, // the log follows its end
    inView: 0, // the newest message of the open conversation that has been in view
    conversations: new Map(),
    inbox: newConversation("inbox:"),
    inboxOpen: false,
    people: new Map(), // presence by user: {online, devices, lastSeen}
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
    role: null, // the user's role in this room
    topic: "",
    muted: false,
    unread: 0, // unread messages of others
    read: null, // the read position; null until it is known
    counted: 0, // the last entry that `unread` includes
    lastOfOthers: 0, // the last message of another user
    seen: 0, // in a direct conversation, the other user's read position
    mark: null, // where the line "New" is drawn
    loaded: false, // the newest page is loaded
    more: true, // the server has older entries
    newer: false, // the server has newer entries than the window
    loading: null, // the running fetch
    filledGap: null, // the last gap that was requested
    problem: null, // the refusal of its history
    users: null, // names, if the server lists them
    count: 0,
    typists: new Set(),
    draft: "",
    images: [], // the images of the draft
  };
}

/** The conversation of `key`, created if it is new. */
export function conversation(state, key) {
  if (!state.conversations.has(key)) state.conversations.set(key, newConversation(key));
  return state.conversations.get(key);
}

export const opened = (state) => conversation(state, state.open);

/** The open room, or the lobby beside a direct conversation. */
export function roomBeside(state) {
  const talk = opened(state);
  return talk.kind === "room" ? talk : state.conversations.get(roomKey(LOBBY));
}

/** A conversation as requests name it. */
export function placeOf({ kind, name }) {
  if (kind === "inbox") return { inbox: true };
  return kind === "room" ? { room: name } : { with: name };
}

/** The key of the conversation that an event or an entry belongs to. */
export function keyOf(state, { room, user, to }) {
  if (room !== undefined) return roomKey(room);
  return directKey(user === state.user ? to : user);
}

export const isAdminOf = (state, { kind, role }) =>
  kind === "room" && (state.admin || role === "owner" || role === "admin");

export const mayWrite = (state, { role }) => state.admin || role !== "reader";

/** Whether the user wrote a message. Events name their authors, which guests may share. */
export const isOwn = ({ user, guestSince }, { author, at }) =>
  author === user && (guestSince === null || Date.parse(at) >= guestSince);

export const hasMessage = (talk, author, id) =>
  messages(talk).some((it) => it.id === id && it.author === author);

/** The user's last message that the other user has read, or nothing. */
export const lastSeen = (state, talk) =>
  messages(talk).findLast((it) => it.author === state.user && it.seq <= talk.seen);

/** Whether a user is online: true, false, or null if unknown. */
export function isOnline(state, name) {
  for (const talk of state.conversations.values()) {
    if (talk.users?.includes(name)) return true;
  }
  const reported = state.people.get(name)?.online;
  return reported ?? (state.conversations.get(roomKey(LOBBY))?.users ? false : null);
}

/** Whether messages of `talk` are visible as they arrive. */
export function isBeingRead(state, talk) {
  if (!state.visible || !state.user) return false;
  if (talk.kind === "inbox") return state.inboxOpen;
  return talk.key === state.open && state.pinned && !talk.newer;
}

/** Adds a live entry. A room that was left meanwhile is not created again. */
export function addEntry(state, entry) {
  const key = keyOf(state, entry);
  const isNew = !state.conversations.has(key);
  if (isNew && key.startsWith("room:")) return null;
  const talk = conversation(state, key);
  if (isNew) talk.read = entry.seq - 1;
  addTo(state, talk, entry);
  return talk;
}

/** Adds a live entry to `talk`, and counts it. */
export function addTo(state, talk, entry) {
  const isOlder = talk.loaded && talk.more && entry.seq < (talk.entries[0]?.seq ?? 0);
  if (isOlder && isMessage(entry)) return;
  if (isBeyond(talk, entry)) talk.last = Math.max(talk.last, entry.seq);
  else take(state, talk, entry);
  if (isMessage(entry)) {
    talk.typists.delete(authorOf(entry));
    count(state, talk, entry);
  } else if (entry.event === "message deleted") {
    countDeletion(talk, entry);
  }
  if (talk.key !== state.open || state.pinned) cut(talk);
}

/** A window before the end does not get what is said at the end: that would leave a gap. */
const isBeyond = ({ newer, entries }, { seq }) => newer && seq > (entries.at(-1)?.seq ?? 0);

/** Adds a page of `history`; `more` is given when the page starts the window. */
export function addPage(state, talk, page, more) {
  for (const entry of page) take(state, talk, entry);
  if (more !== undefined) talk.more = more;
}

function take(state, talk, entry) {
  fold(talk, entry);
  if (!isMessage(entry) || authorOf(entry) === state.user) return;
  talk.lastOfOthers = Math.max(talk.lastOfOthers, entry.seq);
  // An answer implies that earlier messages were read.
  if (talk.kind === "direct") talk.seen = Math.max(talk.seen, entry.seq);
}

function count(state, talk, entry) {
  if (entry.seq <= talk.counted) return;
  talk.counted = entry.seq;
  if (authorOf(entry) === state.user && talk.kind !== "inbox") {
    Object.assign(talk, { read: Math.max(talk.read ?? 0, entry.seq), unread: 0, mark: null });
    return;
  }
  if (talk.unread === 0 && !isBeingRead(state, talk)) talk.mark = talk.read ?? entry.seq - 1;
  talk.unread += 1;
}

/** A deleted message is not unread. */
function countDeletion(talk, { seq, of }) {
  if (seq <= talk.counted) return;
  talk.counted = seq;
  if (of > (talk.read ?? 0)) talk.unread = Math.max(0, talk.unread - 1);
}

function cut(talk) {
  if (talk.entries.length <= ENTRIES_MAX) return;
  talk.entries.splice(0, talk.entries.length - ENTRIES_KEPT);
  talk.more = true;
}

export function openConversation(state, key) {
  const left = state.conversations.get(state.open);
  if (left?.unread === 0) left.mark = null;
  if (left?.newer) unload(left);
  state.open = key;
  Object.assign(state, { pinned: true, inView: 0 });
  const talk = conversation(state, key);
  talk.mark = talk.unread > 0 ? talk.read : null;
}

export function closeConversation(state, key) {
  state.conversations.delete(key);
  if (state.open === key) openConversation(state, defaultConversation(state));
}

/** The default conversation: the lobby if the user is in it. */
function defaultConversation(state) {
  const rooms = [...state.conversations.values()].filter(({ role }) => role !== null);
  const lobby = roomKey(LOBBY);
  return rooms.length === 0 || rooms.some(({ key }) => key === lobby) ? lobby : rooms[0].key;
}

/** Empties the window, so that its newest page is loaded again. */
export function unload(talk) {
  const empty = { entries: [], loaded: false, more: true, newer: false };
  Object.assign(talk, { ...empty, problem: null, filledGap: null });
}

/** Sets the users of a room; the server sends an empty list when there are too many. */
export function setUsers(talk, users, count) {
  talk.users = users.length === 0 && count > 0 ? null : users.toSorted(byName);
  talk.count = count;
}

const { compare: byName } = new Intl.Collator("en", { numeric: true });

export { byName, messageAt, messages };
