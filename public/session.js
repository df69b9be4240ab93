// What the browser remembers: for a reload of this tab, whose it is, where they have read and what
// is not sent yet; for good, which device it is. Who may come in is in a cookie, and not here.

import { newId } from "./id.js";
import { conversation, directKey, newState, roomKey } from "./state.js";

const TAB = "roomcast";
const DEVICE = "roomcast-device";

/** The state as it was left, and with it the messages still to be sent. */
export function recall() {
  const state = newState();
  const { user = null, open, rooms = {}, directs = {}, unsent = [] } = parsed();
  if (user === null) return { state, unsent: [] };
  for (const [name, place] of Object.entries(rooms)) {
    Object.assign(conversation(state, roomKey(name)), place);
  }
  for (const [name, place] of Object.entries(directs)) {
    Object.assign(conversation(state, directKey(name)), place);
  }
  state.user = user;
  if (state.conversations.has(open)) state.open = open;
  return { state, unsent };
}

export function remember(state, unsent) {
  const { user, open } = state;
  const places = { room: {}, direct: {} };
  for (const { kind, name, last, read } of state.conversations.values()) {
    places[kind][name] = { last, read };
  }
  const { room: rooms, direct: directs } = places;
  write("sessionStorage", TAB, JSON.stringify({ user, open, rooms, directs, unsent }));
}

export function forget() {
  write("sessionStorage", TAB, null);
}

/** The id of this browser, the same in all its tabs. */
export function deviceId() {
  const known = read("localStorage", DEVICE);
  if (known) return known;
  const made = newId();
  write("localStorage", DEVICE, made);
  return made;
}

function parsed() {
  try {
    return JSON.parse(read("sessionStorage", TAB)) ?? {};
  } catch {
    return {};
  }
}

// A browser that forbids storage still chats; it only forgets on reload.
function read(storage, key) {
  try {
    return window[storage].getItem(key);
  } catch {
    return null;
  }
}

function write(storage, key, text) {
  try {
    if (text === null) window[storage].removeItem(key);
    else window[storage].setItem(key, text);
  } catch {
    return;
  }
}
