// The page: which screen is shown, its header and notices, the drawer and the keyboard.

import { makeComposer } from "./composer.js";
import { makeDetails } from "./details.js";
import { makeDirectory } from "./directory.js";
import { setText } from "./dom.js";
import { makeInbox } from "./inbox.js";
import { makeLog } from "./log.js";
import { makeMembers } from "./members.js";
import { nameOf } from "./names.js";
import { makeSidebar } from "./sidebar.js";
import { isOnline, opened } from "./state.js";
import { makeSwitcher } from "./switcher.js";
import { makeTarget } from "./target.js";
import { makeTopic } from "./topic.js";
import { closing, keptLine, link, people, presenceLine, typingLine } from "./words.js";

const $ = (id) => document.getElementById(id);

export function showMissing() {
  $("missing").hidden = false;
}

export function makeView(actions) {
  const drawer = makeDrawer();
  const open = (key) => {
    actions.open(key);
    drawer.close();
    composer.focus();
  };
  const composer = makeComposer({ ...actions, editLast: () => log.editLast() });
  const done = composer.focus;
  const target = makeTarget(actions);
  const log = makeLog({ ...actions, done, target });
  const members = makeMembers({ ...actions, open });
  const directory = makeDirectory({ ...actions, open, missing: () => $("browse").remove() });
  const switcher = makeSwitcher({ ...actions, open });
  const drawSidebar = makeSidebar({
    ...actions,
    open,
    find: switcher.open,
    browse: directory.open,
    everyone: members.open,
  });
  const drawDetails = makeDetails({ ...actions, done });
  const drawInbox = makeInbox(actions);
  const drawTopic = makeTopic({ ...actions, done });

  $("reconnect").addEventListener("click", actions.reconnect);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || $("chat").hidden || event.isComposing) return;
    if (drawer.isOpen()) drawer.close();
    else composer.focus();
  });

  function drawChat(state, outbox) {
    const talk = opened(state);
    drawHeader(state, talk);
    drawTopic(state, talk);
    drawNotice(state);
    setText($("typing"), typingLine([...talk.typists].map(nameOf)));
    composer.draw(state, talk);
    // What is in view is read, so the counts are drawn after it.
    log.draw(state, talk, outbox.in(talk.key));
    drawSidebar(state);
    members.draw(state);
    switcher.draw(state);
    drawDetails(state, talk);
    drawInbox(state);
  }

  return function draw(state, outbox) {
    const isIn = state.user !== null;
    const wasIn = !$("chat").hidden;
    $("chat").hidden = !isIn;
    if (!isIn) for (const it of document.querySelectorAll("dialog[open]")) it.close();
    if (isIn) drawChat(state, outbox);
    drawTitle(state);
    if (isIn && !wasIn) composer.focus();
  };
}

function drawHeader(state, talk) {
  const isRoom = talk.kind === "room";
  $("title").className = talk.kind;
  setText($("title"), shownName(talk));
  setText($("subtitle"), isRoom ? roomLine(talk) : personLine(state, talk.name));
  const what = isRoom ? "Room details" : "Conversation details";
  $("details-button").setAttribute("aria-label", what);
  $("status").dataset.link = state.link;
  setText($("status"), link(state.link));
}

const shownName = ({ kind, name }) => (kind === "direct" ? nameOf(name) : name);

const roomLine = ({ count }) => (count > 0 ? `${people(count)} here` : "");

function personLine(state, name) {
  const online = isOnline(state, name);
  if (online === null) return "Direct message";
  return presenceLine({ ...state.people.get(name), online });
}

function drawNotice(state) {
  const isStopped = state.link === "offline" && navigator.onLine;
  let text = state.notice ?? "";
  if (state.closing && state.link !== "online") text = closing(state.closing.code);
  else if (state.kept) text = keptLine(navigator.onLine);
  else if (isStopped) text = "The server ended this connection.";
  else if (state.link === "offline") text = "You are offline. What you write is sent later.";
  setText($("notice-text"), text);
  $("notice").hidden = text === "";
  $("reconnect").hidden = !isStopped;
  setText($("reconnect"), state.closing?.code === "replaced" ? "Use here" : "Connect again");
}

function drawTitle(state) {
  let sum = 0;
  let otherUnread = 0;
  for (const talk of state.user ? state.conversations.values() : []) {
    if (talk.muted) continue;
    sum += talk.unread;
    if (talk.key !== state.open) otherUnread += talk.unread;
  }
  const place = state.user ? `${shownName(opened(state))} · Roomcast` : "Roomcast";
  document.title = sum > 0 ? `(${sum}) ${place}` : place;
  $("menu-unread").hidden = otherUnread === 0;
  $("menu").setAttribute(
    "aria-label",
    otherUnread > 0 ? `Rooms and people, ${otherUnread} unread` : "Rooms and people",
  );
}

/** On narrow screens the sidebar is a drawer over the conversation. */
function makeDrawer() {
  const chat = $("chat");
  const isOpen = () => chat.classList.contains("drawer-open");

  function set(open) {
    if (open === isOpen()) return;
    chat.classList.toggle("drawer-open", open);
    $("menu").setAttribute("aria-expanded", String(open));
    $("scrim").hidden = !open;
    $("talk").inert = open;
    (open ? $("close-menu") : $("menu")).focus();
  }

  $("menu").addEventListener("click", () => set(true));
  $("close-menu").addEventListener("click", () => set(false));
  $("scrim").addEventListener("click", () => set(false));
  matchMedia("(max-width: 640px)").addEventListener("change", () => set(false));
  return { isOpen, close: () => set(false) };
}
