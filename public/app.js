// Entry: brings the client, what the tab remembers, the connection and the view together.

import { beginSession, endSession, whoAmI } from "./account.js";
import { makeConnection } from "./connection.js";
import { makeHistory } from "./history.js";
import { makeOutbox } from "./outbox.js";
import { deviceId, forget, recall, remember } from "./session.js";
import * as model from "./state.js";
import { makeView, showMissing } from "./view.js";
import { needsToken, refusal, refusedClaim, shutsOut } from "./words.js";

// Drawing waits this long, so that a batch of events is drawn once; what a person does is drawn at
// once. A timer, because a hidden page has no frames and its title still counts what is unread.
const DRAW_WAIT_MS = 16;
const NOTICE_MS = 8_000;

const CLIENT = "/socket.io/socket.io.esm.min.js";

const { io } = await import(CLIENT).catch(() => {
  showMissing();
  return new Promise(() => {}); // nothing below can begin
});
const { state, unsent } = recall();
const device = deviceId();
// What the sign-in form says, and whether it asks for a token rather than a name. It stays closed
// until it is known that there is no session.
const door = { isOpen: false, busy: false, byToken: false, code: "", problem: "" };
const otherTabs = new BroadcastChannel("roomcast");
let drawing = null;

const connection = makeConnection(io, { greeting, connected, heard, linked, refused: showDoor });
const { ask, request } = connection;
const history = makeHistory({ state, ask, changed });
const outbox = makeOutbox({
  unsent,
  request,
  isOnline: () => state.link === "online",
  sent,
  changed,
});
const draw = makeView({
  signIn,
  signOut,
  open,
  join,
  leave,
  send,
  retry,
  discard: outbox.discard,
  older: () => history.older(model.opened(state)),
  reconnect,
  scrolled: (pinned) => look({ pinned }),
});

document.addEventListener("visibilitychange", lookFromPage);
addEventListener("pagehide", keep);
otherTabs.addEventListener("message", () => {
  if (state.user === null && !door.busy) void begin();
});
lookFromPage();
drawNow();
void begin();

function changed() {
  drawing ??= setTimeout(drawNow, DRAW_WAIT_MS);
}

function drawNow() {
  clearTimeout(drawing);
  drawing = null;
  draw(state, outbox, door);
  keep();
}

function keep() {
  if (state.user !== null) remember(state, outbox.unsent());
}

function look(change) {
  Object.assign(state, change);
  model.markRead(state);
  changed();
}

function lookFromPage() {
  look({ visible: document.visibilityState === "visible" });
}

/** Goes on as the user whose session this browser has; without one it opens the form. */
async function begin(why = "unauthorized") {
  const who = await whoAmI();
  if (who.ok) return enter(who);
  if (door.isOpen) return;
  if (state.user === null) return showDoor();
  if (who.code === "unanswered") return connection.connect(); // which tries until it is answered
  showDoor(who.code === "token_expired" ? who.code : why);
}

function enter({ user }) {
  if (state.user !== user) startOver();
  state.user = user;
  Object.assign(door, { isOpen: false, busy: false, code: "", problem: "" });
  connection.connect();
  changed();
}

/** Forgets who we were, and opens the form; with a code, it says why. */
function showDoor(code = "", message) {
  startOver();
  const byToken = door.byToken || needsToken(code);
  const problem = code === "" || shutsOut(code) ? "" : refusal(code, message);
  Object.assign(door, { isOpen: true, busy: false, byToken, code, problem });
  changed();
}

function startOver() {
  forget();
  outbox.clear();
  connection.disconnect();
  Object.assign(state, model.newState(), { visible: state.visible });
}

/** Which device this is, and what it has: the server sends what was said since. */
function greeting() {
  if (state.user === null) return null;
  const since = {};
  for (const { kind, name, last } of state.conversations.values()) {
    if (kind === "room") since[name] = last;
  }
  return { device, since };
}

/** Where guests are allowed, somebody whose session is over is let in all the same: as nobody. */
async function connected() {
  const { code } = await listPeople(model.LOBBY);
  if (code === "not_identified") showDoor("unauthorized");
}

function linked(link) {
  state.link = link;
  changed();
}

function heard(event, data) {
  const talk = model.fold(state, event, data);
  if (talk) void history.heal(talk);
  if (event === "welcome") welcomed(data);
  if (event === "missed" && data.recovered === false) fetchAgain(data.room);
  if (event === "error message") notice(refusal(data.code, data.message));
  if (event === "closing") ended(data.code);
  changed();
}

/** Another session of ours may have begun before the time of this one was over. */
function ended(code) {
  if (code === "token_expired") void begin(code);
  else if (shutsOut(code)) showDoor(code);
}

function welcomed({ rooms }) {
  outbox.flush();
  void history.catchUp();
  const inside = new Set(rooms.map(({ room }) => room));
  for (const talk of state.conversations.values()) {
    if (talk.kind === "room" && !inside.has(talk.name)) void comeBackTo(talk);
  }
  const { kind, name } = model.opened(state);
  if (kind === "room" && name !== model.LOBBY) void listPeople(name);
}

async function comeBackTo(talk) {
  const answer = await attempt("join", { room: talk.name, since: talk.last });
  if (answer.ok || answer.code === "offline") return;
  if (talk.name === model.LOBBY) talk.problem = answer.code;
  else model.closeConversation(state, talk.key);
  notice(`${talk.name}: ${refusal(answer.code, answer.message)}`);
}

function fetchAgain(room) {
  const talk = state.conversations.get(model.roomKey(room));
  if (talk) void history.newest(talk);
}

async function listPeople(room) {
  const answer = await attempt("GroupList", { room });
  const talk = state.conversations.get(model.roomKey(room));
  if (answer.ok && talk) model.setUsers(talk, answer.users, answer.count);
  changed();
  return answer;
}

/** The answer to a request, where being without a connection is one of the refusals. */
function attempt(event, data) {
  return ask(event, data).catch(() => ({ ok: false, code: "offline" }));
}

function notice(text) {
  state.notice = text;
  changed();
  setTimeout(() => {
    if (state.notice === text) state.notice = null;
    changed();
  }, NOTICE_MS);
}

/** `claim` is `{name}` or `{token}`. */
async function signIn(claim) {
  if (door.busy) return;
  Object.assign(door, { busy: true, code: "", problem: "" });
  changed();
  const who = await beginSession(claim);
  if (who.ok) {
    otherTabs.postMessage("signed in");
    return enter(who);
  }
  const { code, message } = who;
  if (needsToken(code)) return showDoor(code);
  Object.assign(door, { busy: false, code, problem: refusedClaim(claim, code, message) });
  changed();
}

async function signOut() {
  const { ok, code, message } = await endSession();
  if (ok || shutsOut(code)) showDoor("signed_out");
  else notice(`You are still signed in. ${refusal(code, message)}`);
}

function reconnect() {
  state.closing = null;
  linked("reconnecting");
  connection.connect();
}

function open(key) {
  model.openConversation(state, key);
  const talk = model.opened(state);
  if (state.link === "online") {
    if (!talk.loaded) void history.newest(talk);
    if (talk.kind === "room") void listPeople(talk.name);
  }
  drawNow();
}

/** Joins a room and answers its key, or the problem in words. */
async function join(text) {
  const name = text.trim().replace(/^#/, "");
  const key = model.roomKey(name);
  if (state.conversations.has(key)) return { key };
  const { ok, code, message, seq } = await attempt("join", { room: name });
  if (!ok) return { problem: refusal(code, message) };
  model.conversation(state, key).read ??= seq;
  return { key };
}

function leave() {
  const { key, kind, name } = model.opened(state);
  // Without a connection it is enough not to name the room when coming back.
  if (kind === "room") void attempt("leave", { room: name });
  outbox.drop(key);
  model.closeConversation(state, key);
  drawNow();
}

/** Takes a message to be sent; answers the problem in words, or nothing. */
function send(text) {
  const over = new TextEncoder().encode(text).length - (state.limits?.bodyBytesMax ?? Infinity);
  if (over > 0) return `This is too long by ${over.toLocaleString()} bytes.`;
  const talk = model.opened(state);
  talk.mark = null;
  look({ pinned: true });
  outbox.add(talk.key, text);
  return "";
}

function sent({ key, id, text: body }, { seq, at, online }) {
  const later = online === false ? key.slice(5) : undefined;
  const message = { key, seq, id, at, author: state.user, body, later };
  const talk = model.addMessage(state, message);
  if (talk) void history.heal(talk);
}

async function retry(entry) {
  if (entry.failed === "not_member") await attempt("join", { room: entry.key.slice(5) });
  outbox.retry(entry);
}
