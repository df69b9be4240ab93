// Entry: brings the client, what the tab remembers, the connection and the view together.

import { beginSession, endSession, whoAmI } from "./account.js";
import { makeAmend } from "./amend.js";
import { bodySize } from "./body.js";
import { makeConnection } from "./connection.js";
import { fold, stopsTyping } from "./events.js";
import { makeHistory } from "./history.js";
import { makeOutbox } from "./outbox.js";
import { makePresence } from "./presence.js";
import { makeReader } from "./reading.js";
import { makeRooms } from "./rooms.js";
import { deviceId, forget, recall, remember } from "./session.js";
import * as model from "./state.js";
import { makeFading, makeTypist } from "./typing.js";
import { makeView, showMissing } from "./view.js";
import { needsToken, refusal, refusedClaim, shutsOut, tooLarge } from "./words.js";

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
const reader = makeReader({ state, ask });
const presence = makePresence({ state, request, changed });
const rooms = makeRooms({ state, ask: attempt, outbox, notice });
const fading = makeFading((event) => stopsTyping(state, event) && changed());
const draw = makeView({
  ...makeTypist({ request }),
  ...makeAmend({ state, ask: attempt, changed: amended }),
  ...drawnAfter(rooms, ["join", "mute", "invite", "kick"]),
  signIn,
  signOut,
  open,
  leave,
  send,
  retry,
  discard: outbox.discard,
  older: () => history.older(model.opened(state)),
  olderNotifications: () => history.older(state.inbox),
  lookAtInbox,
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
  reader.look();
  changed();
}

function lookFromPage() {
  look({ visible: document.visibilityState === "visible" });
  if (state.visible) presence.look();
}

/** What somebody asks for is drawn when it is answered. */
function drawnAfter(deeds, names) {
  return Object.fromEntries(
    names.map((name) => [
      name,
      async (...args) => {
        const answer = await deeds[name](...args);
        changed();
        return answer;
      },
    ]),
  );
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
  const { visible, inboxOpen } = state;
  Object.assign(state, model.newState(), { visible, inboxOpen });
}

/** Which device this is, and what it has: the server sends what was said since. */
function greeting() {
  if (state.user === null) return null;
  const since = {};
  for (const { kind, name, role, last } of state.conversations.values()) {
    if (kind === "room" && role !== null) since[name] = last;
  }
  return { device, since, epoch: state.epoch ?? undefined };
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
  const before = event === "membership" ? roleIn(data.room) : null;
  const talk = fold(state, event, data);
  if (talk) void history.heal(talk);
  if (event === "welcome") void welcomed();
  if (event === "membership") belongs(data, before);
  if (event === "missed" && data.recovered === false) fetchAgain(data.room);
  if (event === "typing") fading(data);
  if (event === "user joined" || event === "user left") presence.look();
  if (event === "error message") notice(refusal(data.code, data.message));
  if (event === "closing") ended(data.code);
  reader.look();
  changed();
}

const roleIn = (room) => state.conversations.get(model.roomKey(room))?.role ?? null;

/** Another session of ours may have begun before the time of this one was over. */
function ended(code) {
  if (code === "token_expired") void begin(code);
  else if (shutsOut(code)) showDoor(code);
}

async function welcomed() {
  outbox.flush();
  presence.look();
  await rooms.tidy();
  listOpen();
  await history.catchUp();
  look();
}

function belongs(data, before) {
  rooms.changed(data, before);
  const { loaded, loading, key } = model.opened(state);
  if (!loaded && loading === null) open(key);
}

function fetchAgain(room) {
  const talk = state.conversations.get(model.roomKey(room));
  if (talk && talk.key === state.open) void fetchNewest(talk);
}

/** The newest page of a conversation that is before the reader. */
async function fetchNewest(talk) {
  await history.newest(talk);
  look();
}

/** Who is in the open room; the server says so by itself for the lobby. */
function listOpen() {
  const { kind, name } = model.opened(state);
  if (kind === "room" && name !== model.LOBBY) void listPeople(name);
}

async function listPeople(room) {
  const answer = await attempt("GroupList", { room });
  const talk = state.conversations.get(model.roomKey(room));
  if (answer.ok && talk) {
    model.setUsers(talk, answer.users, answer.count);
    presence.look();
  }
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
    if (!talk.loaded) void fetchNewest(talk);
    if (talk.kind === "room") void listPeople(talk.name);
    else presence.look();
  }
  reader.look();
  drawNow();
}

function leave() {
  rooms.leave();
  open(state.open);
}

function lookAtInbox(inboxOpen) {
  look({ inboxOpen });
  if (inboxOpen && !state.inbox.loaded && state.link === "online") void fetchNewest(state.inbox);
}

/** Takes a message to be sent; answers the problem in words, or nothing. */
function send(body) {
  const over = bodySize(body) - (state.limits?.bodyBytesMax ?? Infinity);
  if (over > 0) return tooLarge(over);
  const talk = model.opened(state);
  talk.mark = null;
  look({ pinned: true });
  outbox.add(talk.key, body);
  return "";
}

function sent({ key, id, body }, { seq, at, online }) {
  const name = key.slice(5);
  const { user } = state;
  const entry = key.startsWith("room:")
    ? { event: "new message", room: name, username: user, msg: body }
    : { event: "SingleChat", to: name, user, data: body, later: online === false ? name : null };
  const talk = model.addEntry(state, { ...entry, seq, id, at });
  if (talk) void history.heal(talk);
}

function amended(talk) {
  void history.heal(talk);
  changed();
}

async function retry(entry) {
  if (entry.failed === "not_member") await rooms.rejoin(entry.key);
  outbox.retry(entry);
}
