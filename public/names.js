// Display names: what the page shows in place of a user's id.
//
// The server sends `name` beside `user` (or `username`) in its events, and `names: {user: name}`
// beside lists. Users without a display name are shown by their id.

const names = new Map();

/** The events of the server that name a user. Clients may send any others, so those teach nothing. */
const TRUSTED = new Set([
  "GroupChat",
  "SingleChat",
  "membership",
  "message deleted",
  "message edited",
  "missed",
  "new message",
  "notification",
  "read",
  "topic",
  "typing",
  "user joined",
  "user left",
  "welcome",
]);

/** Events after which a user without `name` has no display name any more. */
const COMPLETE = new Set(["user joined", "welcome"]);

/** The name to show for `user`. */
export const nameOf = (user) => names.get(user) ?? user;

/** Learns the names in an event. */
export function learnFrom(event, data) {
  if (!TRUSTED.has(event)) return;
  if (COMPLETE.has(event)) names.delete(data?.user);
  learn(data);
}

/** Learns the names in an answer, or in a part of one with `user` and `name`. */
export function learn(data) {
  if (data === null || typeof data !== "object") return;
  const { user, username = user, name, by, byName, names: listed, members } = data;
  set(username, name);
  set(by, byName);
  for (const [of, is] of Object.entries(listed ?? {})) set(of, is);
  if (Array.isArray(members)) members.forEach(learn);
}

export function forgetNames() {
  names.clear();
}

function set(user, name) {
  if (typeof user !== "string" || typeof name !== "string") return;
  if (name === "" || name === user) names.delete(user);
  else names.set(user, name);
}
