// What this tab remembers over a reload: who it is, where it has read, and what it has not sent.

import { conversation, directKey, newState, roomKey } from "./state.js";

const KEY = "roomcast";

/** The state as it was left, and with it the token and the messages still to be sent. */
export function recall() {
  const state = newState();
  const { token = null, user = null, open, rooms = {}, directs = {}, unsent = [] } = stored();
  if (token === null) return { state, token, unsent: [] };
  for (const [name, place] of Object.entries(rooms)) {
    Object.assign(conversation(state, roomKey(name)), place);
  }
  for (const [name, place] of Object.entries(directs)) {
    Object.assign(conversation(state, directKey(name)), place);
  }
  state.user = user;
  if (state.conversations.has(open)) state.open = open;
  return { state, token, unsent };
}

export function remember(state, token, unsent) {
  const { user, open } = state;
  const places = { room: {}, direct: {} };
  for (const { kind, name, last, read } of state.conversations.values()) {
    places[kind][name] = { last, read };
  }
  const { room: rooms, direct: directs } = places;
  store(JSON.stringify({ token, user, open, rooms, directs, unsent }));
}

export function forget() {
  store(null);
}

// A browser that forbids storage still chats; it only forgets on reload.
function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

function store(text) {
  try {
    if (text === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, text);
  } catch {
    return;
  }
}
