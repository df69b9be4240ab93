// What the browser stores. For a reload of this tab: the user, the last entry of each conversation
// and unsent messages; for all tabs: when its guest came, and the device id, which stays. The session
// itself is in a cookie.

import { newId } from "./id.js";
import { conversation, directKey, newState, roomKey } from "./state.js";
import { read, readJson, write } from "./storage.js";

const TAB = "roomcast";
const DEVICE = "roomcast-device";
const GUEST = "roomcast-guest";

/** The stored state, with the unsent messages. */
export function recall() {
  const state = newState();
  const { user = null, open, epoch = null, rooms = {}, directs = {}, unsent = [] } = stored();
  if (user === null) return { state, unsent: [] };
  for (const [name, place] of Object.entries(rooms)) {
    // A member, until the server says otherwise.
    Object.assign(conversation(state, roomKey(name)), place, { role: "member" });
  }
  for (const [name, place] of Object.entries(directs)) {
    Object.assign(conversation(state, directKey(name)), place);
  }
  Object.assign(state, { user, epoch });
  if (state.conversations.has(open)) state.open = open;
  return { state, unsent };
}

export function remember(state, unsent) {
  const { user, open, epoch } = state;
  const places = { room: {}, direct: {} };
  for (const { kind, name, role, last, seen } of state.conversations.values()) {
    if (kind === "direct" || role !== null) places[kind][name] = { last, seen };
  }
  const { room: rooms, direct: directs } = places;
  write("sessionStorage", TAB, JSON.stringify({ user, open, epoch, rooms, directs, unsent }));
}

export function forget() {
  write("sessionStorage", TAB, null);
}

/** When the guest `user` came, or null for the user of a token. */
export function guestSince(user) {
  const guest = readJson("localStorage", GUEST);
  return guest?.user === user && Number.isFinite(guest.since) ? guest.since : null;
}

/** `since` is null for everybody but guests. */
export const rememberGuest = (user, since) =>
  write("localStorage", GUEST, since === null ? null : JSON.stringify({ user, since }));

/** The id of this browser, the same in all its tabs. */
export function deviceId() {
  const known = read("localStorage", DEVICE);
  if (known) return known;
  const made = newId();
  write("localStorage", DEVICE, made);
  return made;
}

const stored = () => readJson("sessionStorage", TAB) ?? {};
