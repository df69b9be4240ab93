// The texts of the page: codes of the protocol, connection states, counts and times.

const REFUSALS = {
  unauthorized: "Your sign-in is no longer valid. Please sign in again.",
  token_expired: "Your sign-in has run out. Please sign in again.",
  space_forbidden: "Your sign-in does not open this place.",
  room_forbidden: "This room is not open to you.",
  origin_forbidden: "This page may not talk to the server: it comes from another site.",
  name_invalid: "A name has 1 to 32 characters, all of which can be seen.",
  name_taken: "This name is taken, or one that looks like it. Choose another.",
  room_invalid: "A room name has 1 to 64 characters, all of which can be seen.",
  too_many_rooms: "You are in as many rooms as you may be. Leave one first.",
  not_member: "You are not in this room any more. Join it again.",
  message_empty: "There is nothing in this message.",
  message_too_large: "This message is too long.",
  conflict: "This message was sent before with another text.",
  too_fast: "That was too fast. Wait a moment.",
  unavailable: "The server cannot store messages right now. Try again in a moment.",
  draining: "The server is restarting. Try again in a moment.",
  internal: "Something went wrong on the server. Try again in a moment.",
  unanswered: "The server did not answer. Try again.",
  offline: "You are not connected right now.",
};

/** Refusals of a token in the sign-in form. */
const TOKENS = {
  unauthorized: "This token is not valid here.",
  token_expired: "The time of this token is over. Ask for a new one.",
  space_forbidden: "This token does not open this place.",
};

/** Codes that lead back to the sign-in form. */
const SIGN_IN_REASONS = {
  signed_out: "You have signed out.",
  unauthorized: REFUSALS.unauthorized,
  token_expired: REFUSALS.token_expired,
  name_taken: "Your name now belongs to somebody else. Choose another.",
  token_required: "Guests are not allowed here. Come in with a token.",
  invalid_user: "Guests are not allowed here. Come in with a token.",
};

const CLOSINGS = {
  draining: "The server is restarting. You will be back in a moment.",
  frame_too_large: "The last message was too long to be sent.",
  slow_reader: "This page could not keep up and is coming back.",
  ping_timeout: "The server did not hear from this page for a while.",
  flood: "This page sent too much at once and is coming back.",
  fault: "Something went wrong on the server. You will be back in a moment.",
  token_expired: "Your sign-in has run out.",
  replaced: "You are signed in on another device now, so this page has stopped.",
};

/** For each role: its name, and what it means for the user. */
const ROLES = {
  owner: ["an owner", "You own this room."],
  admin: ["an admin", "You are an admin here."],
  member: ["a member", "You are a member."],
  reader: ["a reader", "You may read here, and not write."],
};

// More users than this are not named.
const TYPISTS_MAX = 3;

const LINKS = {
  connecting: "Connecting…",
  online: "Connected",
  reconnecting: "Reconnecting…",
  offline: "Offline",
};

const TEMPORARY = new Set(["too_fast", "unavailable", "draining", "internal"]);

/** Whether the same request may succeed later. */
export const isTemporary = (code) => TEMPORARY.has(code);

/** Whether the user must sign in again. */
export const requiresSignIn = (code) => code in SIGN_IN_REASONS;

/** Whether a name is not enough to sign in. */
export const needsToken = (code) => code === "token_required" || code === "invalid_user";

export const refusal = (code, message) => REFUSALS[code] ?? message ?? `Refused: ${code}.`;
export const refusedClaim = ({ token }, code, message) =>
  (token !== undefined && TOKENS[code]) || refusal(code, message);
export const signInLine = (code, byToken) =>
  SIGN_IN_REASONS[code] ?? (byToken ? SIGN_IN_REASONS.token_required : "Pick a name and come in.");
export const closing = (code) => CLOSINGS[code] ?? `The server closed the connection (${code}).`;
export const link = (state) => LINKS[state];

/** What is above messages that this browser kept. */
export const NOT_KEPT = "More messages are shown when you are connected again.";
export const keptLine = (isOnline) =>
  `${isOnline ? "The server cannot be reached." : "You are offline."} These are the last messages.`;

/** `wasSent`: the number at the address is one that the conversation has reached. */
export const missingLine = (wasSent) =>
  wasSent ? "This message is not here any more." : "There is no message with this number yet.";

export const tooLarge = (over) => `This is too large by ${bytes(over)}.`;
export const latestLine = (unread) =>
  unread === 0 ? "Latest messages" : `${unread} new ${unread === 1 ? "message" : "messages"}`;
export const people = (count) => (count === 1 ? "1 person" : `${count.toLocaleString()} people`);

/** A readable size: `34 KB`. */
export function bytes(count) {
  if (count < 1_000) return `${count} bytes`;
  const [unit, size] = count < 1_000_000 ? ["KB", count / 1_000] : ["MB", count / 1_000_000];
  return `${size.toLocaleString(undefined, { maximumFractionDigits: 1 })} ${unit}`;
}

/** Which users are typing. */
export function typingLine(names) {
  if (names.length === 0) return "";
  if (names.length > TYPISTS_MAX) return "Several people are typing…";
  return `${list.format(names)} ${names.length === 1 ? "is" : "are"} typing…`;
}

/** The presence of a user. */
export function presenceLine({ online, devices, lastSeen } = {}) {
  if (online) return devices > 1 ? `Online on ${devices} devices` : "Online";
  if (online === undefined) return "";
  return lastSeen ? `Offline, last seen ${recently(lastSeen)}` : "Offline";
}

export const roleName = (role) => ROLES[role]?.[0] ?? role;
/** A role beside a name; the usual one needs none. */
export const roleMark = (role) => (role === "member" ? "" : (role ?? ""));
export const roleLine = (role) => ROLES[role]?.[1] ?? "";

const list = new Intl.ListFormat("en");
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const weekday = new Intl.DateTimeFormat("en-GB", {
  weekday: "long",
  day: "numeric",
  month: "long",
});
const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric" });

export const timeOf = (at) => clock.format(new Date(at));
export const momentOf = (at) => moment.format(new Date(at));

/** Day and time of `at`: `Today 14:03`. */
export const recently = (at) => `${dayOf(at, new Date())} ${timeOf(at)}`;

/** The day of `at` as a heading, relative to `now`. */
export function dayOf(at, now) {
  const day = new Date(at);
  const ago = Math.round((startOfDay(now) - startOfDay(day)) / 86_400_000);
  if (ago === 0) return "Today";
  if (ago === 1) return "Yesterday";
  return day.getFullYear() === now.getFullYear() ? weekday.format(day) : date.format(day);
}

const startOfDay = (time) => new Date(time.getFullYear(), time.getMonth(), time.getDate());
