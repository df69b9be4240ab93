// Notifications of the desktop: of direct messages, of mentions and of the inbox, if the user has
// turned them on. The browser is asked only then.

import { bodyText, oneLine } from "./body-text.js";
import { element, setText } from "./dom.js";
import { authorOf } from "./entries.js";
import { mentions } from "./mentions.js";
import { nameOf } from "./names.js";
import { keyOf } from "./state.js";
import { read, write } from "./storage.js";

const KEY = "roomcast-desktop";

// What is read meanwhile, in another tab or on another device, needs no notification.
const READ_WAIT_MS = 700;

/** `open(key)` opens a conversation; `openInbox()` the notifications. */
export function makeDesktop({ state, open, openInbox }) {
  const isThere = "Notification" in window;
  const shown = new Map(); // by conversation
  let isWanted = read("localStorage", KEY) === "on";
  const button = element("button", { type: "button", className: "quiet" });
  const hint = element("p", { className: "hint" });
  document.getElementById("inbox").append(element("div", { className: "desktop" }, button, hint));
  const isOn = () => isThere && isWanted && Notification.permission === "granted";

  button.addEventListener("click", toggle);
  draw();

  async function toggle() {
    isWanted = !isOn() && (await Notification.requestPermission()) === "granted";
    write("localStorage", KEY, isWanted ? "on" : null);
    draw();
  }

  function draw() {
    const isBlocked = isThere && Notification.permission === "denied";
    button.hidden = !isThere || isBlocked;
    setText(button, isOn() ? "Turn off desktop notifications" : "Turn on desktop notifications");
    if (!isThere) setText(hint, "This browser has no desktop notifications.");
    else if (isBlocked) setText(hint, "Your browser blocks notifications of this page.");
    else setText(hint, "For direct messages, for messages that mention you, and for these.");
  }

  /** Tells of an event, unless it is in view or read in a moment. */
  function received(event, data) {
    const news = isOn() ? newsOf(state, event, data) : null;
    if (news === null) return;
    setTimeout(() => {
      const talk = talkOf(state, news.key);
      if (!isOn() || isInView(state, news.key) || !talk || talk.unread === 0) return;
      show(news);
    }, READ_WAIT_MS);
  }

  function show({ key, seq, title, body }) {
    let made;
    try {
      // The same message in another tab replaces this notification.
      made = new Notification(title, { body, tag: `${key}/${seq}`, icon: "/assets/icon.svg" });
    } catch {
      // Some browsers of telephones have the constructor, and refuse to use it.
      return turnOff();
    }
    if (!shown.has(key)) shown.set(key, []);
    shown.get(key).push(made);
    made.onclick = () => {
      window.focus();
      made.close();
      if (key === state.inbox.key) openInbox();
      else open(key);
    };
  }

  /** Closes the notifications of what has been read. */
  function refresh() {
    for (const [key, all] of shown) {
      if (talkOf(state, key)?.unread > 0) continue;
      for (const it of all) it.close();
      shown.delete(key);
    }
  }

  /** The next user of this browser has not turned them on. */
  function turnOff() {
    isWanted = false;
    write("localStorage", KEY, null);
    draw();
  }

  return { received, refresh, turnOff };
}

const talkOf = (state, key) =>
  key === state.inbox.key ? state.inbox : state.conversations.get(key);

function isInView(state, key) {
  if (!state.visible) return false;
  return key === state.inbox.key ? state.inboxOpen : key === state.open;
}

/** What to tell of an event: `{key, seq, title, body}`, or null. */
export function newsOf(state, event, data) {
  const isDirect = event === "SingleChat";
  const isInbox = event === "notification";
  if (!isDirect && !isInbox && event !== "new message" && event !== "GroupChat") return null;
  const author = authorOf(data);
  const key = isInbox ? state.inbox.key : keyOf(state, data);
  if (author === state.user || talkOf(state, key)?.muted !== false) return null;
  const text = bodyText(data.msg ?? data.data);
  const names = [state.user, nameOf(state.user)];
  if (!isDirect && !isInbox && !mentions(text, names)) return null;
  const title = data.room === undefined ? nameOf(author) : `${nameOf(author)} in ${data.room}`;
  return { key, seq: data.seq, title, body: oneLine(text) };
}
