// Entry point: connects the Socket.IO client, the stored state of the tab, the connection and the
// view.

import { endSession, fetchSession } from "./account.js";
import { bodySize } from "./body.js";
import { makeConnection } from "./connection.js";
import { makeDesktop } from "./desktop.js";
import { makeEditing } from "./editing.js";
import { fold, stopsTyping } from "./events.js";
import { makeHistory } from "./history.js";
import { makeJoinOffer } from "./join-offer.js";
import { makeKept } from "./kept.js";
import { forgetMessages, keepSoon, keptMessages } from "./kept-messages.js";
import { makeLists } from "./lists.js";
import { forgetNames, learn, learnFrom, nameOf } from "./names.js";
import { makeNavigation } from "./navigation.js";
import { makeOpening } from "./opening.js";
import { makeOutbox } from "./outbox.js";
import { makePresence } from "./presence.js";
import { makeReader } from "./reading.js";
import { makeRooms } from "./rooms.js";
import { deviceId, forget, guestSince, recall, remember, rememberGuest } from "./session.js";
import * as signIn from "./sign-in.js";
import * as model from "./state.js";
import { makeTypingExpiry, makeTypingSender } from "./typing.js";
import { makeView, showMissing } from "./view.js";
import { NOT_KEPT, refusal, requiresSignIn, tooLarge } from "./words.js";

// A batch of events is drawn once after this delay; user actions are drawn immediately. A timer,
// because a hidden page has no animation frames, and its title still shows the unread count.
const DRAW_WAIT_MS = 16;
const NOTICE_MS = 8_000;

const { io } = await import("./socket.io.js").catch(async () => {
  await signIn.firstSession; // which may open the form
  signIn.close();
  showMissing();
  return new Promise(() => {}); // nothing below can start
});
const { state, unsent } = recall();
const device = deviceId();
const otherTabs = new BroadcastChannel("roomcast");
let drawing = null;

const connection = makeConnection(io, {
  greeting,
  connected,
  received,
  linked,
  refused: showSignIn,
});
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
const opening = makeOpening({ state, history, reader, presence, ask: attempt, drawNow, changed });
const { open, fetchNewest } = opening;
const kept = makeKept();
const joinOffer = makeJoinOffer(rooms);
const navigation = makeNavigation({ state, kept, open, joinOffer, notice });
const desktop = makeDesktop({ state, open, openInbox: () => inboxToggled(true) });
const expireTyping = makeTypingExpiry((event) => stopsTyping(state, event) && changed());
const draw = makeView({
  ...makeTypingSender({ request }),
  ...makeEditing({ state, ask: attempt, changed: edited }),
  ...drawnAfter(rooms, ["join", "mute", "invite", "kick", "setTopic"]),
  signOut,
  open,
  leave,
  send,
  retry,
  discard: outbox.discard,
  lists: makeLists({ ask: attempt }),
  recent: kept.recent,
  older: () => history.older(model.opened(state)),
  newer: () => history.newer(model.opened(state)),
  newest: () => open(state.open),
  lost: navigation.lost,
  olderNotifications: () => history.older(state.inbox),
  inboxToggled,
  reconnect,
  scrolled: (seen) => {
    viewed(seen);
    changed();
  },
  viewed,
});

document.addEventListener("visibilitychange", visibilityChanged);
addEventListener("pagehide", keep);
kept.follow(document.getElementById("message"), keep);
otherTabs.addEventListener("message", () => {
  if (state.user === null && !signIn.isBusy()) void begin();
});
visibilityChanged();
drawNow();
const isIn = signIn.onEnter((who) => {
  rememberGuest(who.user, who.since);
  otherTabs.postMessage("signed in");
  enter(who);
});
if (!isIn) void begin("unauthorized", signIn.firstSession);

function changed() {
  drawing ??= setTimeout(drawNow, DRAW_WAIT_MS);
}

function drawNow() {
  clearTimeout(drawing);
  drawing = null;
  kept.restore(state);
  draw(state, outbox);
  desktop.refresh();
  navigation.drawn();
  keep();
}

function keep() {
  if (state.user === null) return;
  remember(state, outbox.unsent());
  kept.save(state);
  keepSoon(state, () => model.opened(state));
}

function refresh(change) {
  Object.assign(state, change);
  reader.refresh();
  changed();
}

/** What is in view has been drawn; while the page is hidden, nobody sees it. */
function viewed({ pinned, inView }) {
  state.pinned = pinned;
  if (!state.visible) return;
  state.inView = inView;
  reader.refresh();
}

function visibilityChanged() {
  refresh({ visible: document.visibilityState === "visible" });
  if (state.visible) presence.refresh();
}

/** Draws the page when a request is answered. */
function drawnAfter(actions, names) {
  return Object.fromEntries(
    names.map((name) => [
      name,
      async (...args) => {
        const answer = await actions[name](...args);
        changed();
        return answer;
      },
    ]),
  );
}

/** Continues with the session of this browser; without one it opens the sign-in form. */
async function begin(why = "unauthorized", session = fetchSession()) {
  const who = await session;
  if (who.ok) return enter(who);
  if (who.code === "unanswered" && !signIn.isOpen()) await showKept();
  if (state.user === null && signIn.isOpen()) return;
  if (state.user === null) return showSignIn();
  if (who.code === "unanswered") return connection.connect(); // it retries until the server answers
  showSignIn(who.code === "token_expired" ? who.code : why);
}

function enter({ user }) {
  if (state.user !== user) startOver(undefined, user);
  Object.assign(state, { user, guestSince: guestSince(user) });
  navigation.enter();
  signIn.close();
  connection.connect();
  drawNow();
  // Browsers have service workers only where the page is secure.
  const version = new URL(import.meta.url).pathname.split("/").at(-2);
  navigator.serviceWorker?.register(`/service-worker.js?version=${version}`).catch(() => {});
}

/** Shows the last messages of this browser until the server answers. */
async function showKept() {
  const all = await keptMessages();
  const user = state.user ?? all.at(-1)?.user ?? null;
  const own = all.filter((it) => it.user === user);
  if (own.length === 0) return;
  if (state.user === null) Object.assign(state, { user, open: own.at(-1).key });
  state.guestSince = guestSince(user);
  for (const { key, epoch, role, entries, names } of own) {
    learn({ names });
    const talk = model.conversation(state, key);
    state.epoch ??= epoch;
    Object.assign(talk, { role, entries, last: Math.max(talk.last, entries.at(-1)?.seq ?? 0) });
  }
  if (nameOf(user) !== user) state.shownAs = nameOf(user);
  for (const talk of state.conversations.values()) talk.problem = NOT_KEPT;
  state.kept = true;
  drawNow();
}

/** Clears the user's state, and opens the sign-in form; with a code, the form shows the reason. */
function showSignIn(code, message) {
  startOver(code);
  drawNow();
  signIn.open(code, message);
}

function startOver(code, user) {
  connection.disconnect();
  clear(code, user);
}

/** Clears what the page has, and what this browser keeps, except the messages of `user`. */
function clear(code, user = null) {
  navigation.leave(code);
  if (code === "signed_out") {
    desktop.turnOff();
    rememberGuest(null, null);
  }
  forget();
  forgetNames();
  forgetMessages(user);
  outbox.clear();
  const { visible, inboxOpen } = state;
  Object.assign(state, model.newState(), { visible, inboxOpen });
}

/**
 * The parameters of a connect: the device, and the last entry of each room, from which the server
 * recovers.
 */
function greeting() {
  if (state.user === null) return null;
  const since = {};
  for (const { kind, name, role, last } of state.conversations.values()) {
    if (kind === "room" && role !== null) since[name] = last;
  }
  return { device, since, epoch: state.epoch ?? undefined };
}

/**
 * Where guests are allowed, the server also accepts a connection without a session, as
 * unidentified.
 */
async function connected() {
  const { code } = await opening.listPeople(model.LOBBY);
  if (code === "not_identified") showSignIn("unauthorized");
}

function linked(link) {
  state.link = link;
  changed();
}

function received(event, data) {
  // Another user has signed in since the messages were kept.
  if (event === "welcome" && state.kept && data.user !== state.user) clear();
  learnFrom(event, data);
  const before = event === "membership" ? roleIn(data.room) : null;
  const talk = fold(state, event, data);
  if (talk) void history.fillGap(talk);
  if (event === "welcome") void welcomed();
  if (event === "membership") membershipChanged(data, before);
  if (event === "missed" && data.recovered === false) opening.fetchAgain(data.room);
  if (event === "typing") expireTyping(data);
  if (event === "user joined" || event === "user left") presence.refresh();
  if (event === "error message") notice(refusal(data.code, data.message));
  if (event === "closing") ended(data.code);
  reader.refresh();
  desktop.received(event, data);
  changed();
}

const roleIn = (room) => state.conversations.get(model.roomKey(room))?.role ?? null;

/** The browser may have a newer session than the one that ended. */
function ended(code) {
  if (code === "token_expired") void begin(code);
  else if (requiresSignIn(code)) showSignIn(code);
}

async function welcomed() {
  outbox.flush();
  presence.refresh();
  await rooms.closeLeftRooms();
  navigation.arrive();
  opening.listOpen();
  await history.catchUp();
  refresh();
}

function membershipChanged(data, before) {
  rooms.changed(data, before);
  const { loaded, loading, key } = model.opened(state);
  if (!loaded && loading === null) open(key);
}

/** Sends a request; without a connection the refusal is `offline`. */
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

async function signOut() {
  const { ok, code, message } = await endSession();
  if (ok || requiresSignIn(code)) showSignIn("signed_out");
  else notice(`You are still signed in. ${refusal(code, message)}`);
}

function reconnect() {
  state.closing = null;
  linked("reconnecting");
  connection.connect();
}

function leave() {
  rooms.leave();
  open(state.open);
}

function inboxToggled(inboxOpen) {
  refresh({ inboxOpen });
  if (inboxOpen && !state.inbox.loaded && state.link === "online") void fetchNewest(state.inbox);
}

/** Queues a message; returns the problem as a text, or nothing. */
function send(body) {
  const over = bodySize(body) - (state.limits?.bodyBytesMax ?? Infinity);
  if (over > 0) return tooLarge(over);
  const talk = model.opened(state);
  talk.mark = null;
  if (talk.newer) open(talk.key);
  refresh({ pinned: true });
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
  if (talk) void history.fillGap(talk);
}

function edited(talk) {
  void history.fillGap(talk);
  changed();
}

async function retry(entry) {
  if (entry.failed === "not_member") await rooms.rejoin(entry.key);
  outbox.retry(entry);
}
