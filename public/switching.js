// What the quick switcher offers: conversations, people and rooms that match. No DOM, network or
// clock.

import { best } from "./fuzzy.js";
import { nameOf } from "./names.js";
import { byName, directKey, roomKey } from "./state.js";

const SHOWN_MAX = 40;

/**
 * The choices for `typed`, the best first; of equal ones those that were opened last (`recent` has
 * their keys). `found` is what the server found: `{people: [user], rooms: [room]}`. With `#` first,
 * only rooms match, and with `@` only people.
 *
 * A choice is `{key, kind, name, shown, unread, known}`; with `known: false` the user is not in that
 * room yet.
 */
export function choices(state, typed, recent, found) {
  const { query, wanted } = wish(typed);
  const talks = [...state.conversations.values()].filter(
    ({ kind, role }) => kind === "direct" || role !== null,
  );
  const known = new Set(talks.map(({ key }) => key));
  const open = talks
    .filter(({ key }) => key !== state.open || query !== "")
    .map(({ key, kind, name, unread, muted }) => ({
      ...choice(key, kind, name),
      unread: muted ? 0 : unread,
    }))
    .sort(byRecency(recent));
  const people = usersOf(state, found.people)
    .filter((user) => user !== state.user && !known.has(directKey(user)))
    .map((user) => choice(directKey(user), "direct", user));
  const rooms = found.rooms
    .filter((room) => !known.has(roomKey(room)))
    .map((room) => ({ ...choice(roomKey(room), "room", room), known: false }));
  const all = [...open, ...people, ...rooms].filter(({ kind }) => kind === (wanted ?? kind));
  const shown = best(query, all, ({ shown: name }) => name).slice(0, SHOWN_MAX);
  const isRoom = shown.some(({ kind, name }) => kind === "room" && name === query);
  if (query === "" || isRoom || wanted === "direct") return shown;
  return [...shown, { ...choice(roomKey(query), "room", query), known: false }];
}

/** What is wanted: `query` without its sign, and the kind of conversation if it had one. */
export function wish(typed) {
  const [, sign, query] = /^([#@]?)\s*(.*)$/s.exec(typed.trim());
  return { query, wanted: { "#": "room", "@": "direct" }[sign] };
}

const choice = (key, kind, name) => ({
  key,
  kind,
  name,
  shown: kind === "direct" ? nameOf(name) : name,
  unread: 0,
  known: true,
});

/** Everybody that the page knows of, sorted by name. */
function usersOf(state, found) {
  const users = new Set([...found, ...state.people.keys()]);
  for (const talk of state.conversations.values()) {
    for (const user of talk.users ?? []) users.add(user);
  }
  return [...users].sort((a, b) => byName(nameOf(a), nameOf(b)));
}

/** Those opened last come first, then the others by name. */
function byRecency(recent) {
  const place = new Map(recent.map((key, at) => [key, at]));
  const placeOf = ({ key }) => place.get(key) ?? Infinity;
  // Two infinities have no difference.
  return (a, b) => {
    const [first, second] = [placeOf(a), placeOf(b)];
    return first === second ? byName(a.shown, b.shown) : first - second;
  };
}
