// What the page knows: the server's events folded into one state, without DOM, network or clock.
//
// A conversation keeps a window of messages, sorted by `seq` and without holes. `last` is the
// newest `seq` received and goes to the server as `since`; `read` is what the reader has seen.

export const LOBBY = "lobby";

// Messages kept for a conversation nobody scrolls in. Above the first, it is cut to the second;
// what is cut comes back from the server when the reader scrolls up.
const MESSAGES_MAX = 600;
const MESSAGES_KEPT = 300;

export const roomKey = (room) => `room:${room}`;
export const directKey = (user) => `with:${user}`;

export function newState() {
  return {
    user: null,
    shownAs: null, // what the back end calls the user, when it is not the name on the wire
    limits: null,
    link: "connecting", // connecting, online, reconnecting, offline
    closing: null, // why the server ended the connection, until it is back
    notice: null, // a refusal that belongs to no control
    open: roomKey(LOBBY),
    visible: true, // the page is on screen
    pinned: true, // the reader is at the newest message
    conversations: new Map(),
  };
}

/** The conversation of `key`, made when it is new. */
export function conversation(state, key) {
  let found = state.conversations.get(key);
  if (!found) {
    const kind = key.startsWith("room:") ? "room" : "direct";
    found = {
      key,
      kind,
      name: key.slice(5),
      messages: [],
      last: 0,
      read: null, // null until it is known where the reader began
      mark: null, // where the line "New" is drawn
      loaded: false, // the newest page has come
      more: true, // the server has older ones
      loading: null, // the fetch that is under way
      healed: null, // the last hole that was asked for
      problem: null, // the code that refused its history
      users: null, // names, when the server lists them
      count: 0,
      draft: "",
    };
    state.conversations.set(key, found);
  }
  return found;
}

export const opened = (state) => conversation(state, state.open);
export const unread = (talk) => Math.max(0, talk.last - (talk.read ?? talk.last));
export const hasMessage = (talk, author, id) =>
  talk.messages.some((it) => it.id === id && it.author === author);

/** The `seq` before a hole in the window, or null. */
export function holeAfter(talk) {
  const at = talk.messages.findIndex((it, i) => i > 0 && it.seq !== talk.messages[i - 1].seq + 1);
  return at < 0 ? null : talk.messages[at - 1].seq;
}

/** Whether somebody is online: true, false, or null when the lists are too long to know. */
export function isOnline(state, name) {
  for (const talk of state.conversations.values()) {
    if (talk.users?.includes(name)) return true;
  }
  return state.conversations.get(roomKey(LOBBY))?.users ? false : null;
}

/** One message of `new message`, `GroupChat`, `SingleChat`, `history` or `missed`, in one form. */
export function messageFrom(state, event, data) {
  const author = data.username ?? data.user;
  const { seq, id, at } = data;
  const key = event === "SingleChat"
    ? directKey(author === state.user ? data.to : author)
    : roomKey(data.room);
  return { key, seq, id, at, author, body: event === "new message" ? data.msg : data.data };
}

/** Adds what was just said. A room that was left in the meantime does not come back by it. */
export function addMessage(state, message) {
  const isNew = !state.conversations.has(message.key);
  if (isNew && message.key.startsWith("room:")) return null;
  const talk = conversation(state, message.key);
  if (isNew) talk.read = message.seq - 1;
  const wasRead = unread(talk) === 0;
  const isOlder = talk.loaded && talk.more && message.seq < (talk.messages[0]?.seq ?? 0);
  if (isOlder || !insert(talk, message)) return talk;
  const isOwn = message.author === state.user;
  const isUnderEyes = talk.key === state.open && state.visible && state.pinned;
  if (isOwn) talk.mark = null;
  else if (wasRead && !isUnderEyes) talk.mark = talk.read;
  if (isOwn || isUnderEyes) talk.read = Math.max(talk.read, message.seq);
  if (talk.key !== state.open || state.pinned) cut(talk);
  return talk;
}

/** Adds a page of `history`; `more` is given when the page's beginning is the window's. */
export function addPage(state, talk, page, more) {
  for (const data of page) insert(talk, messageFrom(state, data.event, data));
  if (more !== undefined) talk.more = more;
  markRead(state);
}

function insert(talk, message) {
  let at = talk.messages.length;
  while (at > 0 && talk.messages[at - 1].seq > message.seq) at -= 1;
  if (talk.messages[at - 1]?.seq === message.seq) return false;
  talk.messages.splice(at, 0, message);
  talk.last = Math.max(talk.last, message.seq);
  return true;
}

function cut(talk) {
  if (talk.messages.length <= MESSAGES_MAX) return;
  talk.messages.splice(0, talk.messages.length - MESSAGES_KEPT);
  talk.more = true;
}

/** Notes that the open conversation is read, if it is under the reader's eyes. */
export function markRead(state) {
  const talk = opened(state);
  if (state.visible && state.pinned && state.user) talk.read = talk.last;
}

export function openConversation(state, key) {
  const left = state.conversations.get(state.open);
  if (left && unread(left) === 0) left.mark = null;
  state.open = key;
  state.pinned = true;
  const talk = conversation(state, key);
  talk.mark = unread(talk) > 0 ? talk.read : null;
  markRead(state);
}

export function closeConversation(state, key) {
  state.conversations.delete(key);
  if (state.open === key) openConversation(state, roomKey(LOBBY));
}

/** Empties the window, so that its newest page is fetched afresh. */
export function unload(talk) {
  Object.assign(talk, { messages: [], loaded: false, more: true, problem: null });
}

/**
 * Folds one event of the server into `state` and answers the conversation it added messages to.
 * Events it does not know change nothing.
 */
export function fold(state, event, data) {
  const talk = data?.room === undefined ? null : state.conversations.get(roomKey(data.room));
  switch (event) {
    case "new message":
    case "GroupChat":
    case "SingleChat":
      return addMessage(state, messageFrom(state, event, data));
    case "missed":
      if (talk) missed(state, talk, data);
      return talk;
    case "welcome":
      welcomed(state, data);
      break;
    case "get users":
      setUsers(conversation(state, roomKey(LOBBY)), data, data.length);
      break;
    case "presence":
      if (talk) setUsers(talk, [], data.count);
      break;
    case "user joined":
      if (talk) joined(talk, data.user);
      break;
    case "user left":
      if (talk) left(talk, data.user);
      break;
    case "closing":
      state.closing = data;
      break;
  }
  return null;
}

function welcomed(state, { user, name = null, rooms, limits }) {
  Object.assign(state, { user, shownAs: name, limits, link: "online", closing: null });
  conversation(state, roomKey(LOBBY));
  for (const { room, seq } of rooms) {
    conversation(state, roomKey(room)).read ??= seq;
  }
}

function missed(state, talk, { messages, recovered, head }) {
  if (recovered === false) {
    unload(talk);
    Object.assign(talk, { last: head, read: Math.min(talk.read, head) });
  } else if (talk.loaded) {
    for (const data of messages) addMessage(state, messageFrom(state, data.event, data));
  }
}

/** Sets who is in a room; the server leaves `users` empty when there are too many to list. */
export function setUsers(talk, users, count) {
  talk.users = users.length === 0 && count > 0 ? null : users.toSorted(byName);
  talk.count = count;
}

function joined(talk, user) {
  if (talk.users === null) talk.count += 1;
  else if (!talk.users.includes(user)) setUsers(talk, [...talk.users, user], talk.count + 1);
}

function left(talk, user) {
  const others = talk.users?.filter((it) => it !== user);
  if (!others) talk.count = Math.max(0, talk.count - 1);
  else setUsers(talk, others, others.length);
}

const { compare: byName } = new Intl.Collator("en", { numeric: true });
