// Draws the messages of the open conversation, and keeps the scroll position.

import { makeAnnouncer } from "./announcer.js";
import { arrange, element, setText } from "./dom.js";
import { messages } from "./entries.js";
import { makeMentionFinder } from "./mentions.js";
import { messageRow, updateRow } from "./message.js";
import { nameOf } from "./names.js";
import { makeRoving } from "./roving-tabindex.js";
import { makeScroll } from "./scroll.js";
import { timeline } from "./timeline.js";
import { chooseByTouch, editRow } from "./tools.js";
import { latestLine } from "./words.js";

/** So many entries are loaded to begin at the first new message. */
const PLACE_ENTRIES_MAX = 300;

const $ = (id) => document.getElementById(id);

/**
 * `actions` are those of a message, and of the log: `done` and `older`, and two that receive
 * `{pinned, inView}`, whether the end is followed and the `seq` of the newest message that has been
 * in view: `scrolled` when the user scrolls, and `viewed` when it has been drawn.
 */
export function makeLog(actions) {
  const { scrolled, viewed, done, older, newest, target } = actions;
  const log = $("log");
  const list = $("messages");
  const roving = makeRoving(list);
  const announce = makeAnnouncer($("announced"));
  const scroll = makeScroll(log, list, moved, () => !shown?.newer);
  let shown = null; // the conversation
  let isPlaced = false; // it has been shown where its reader left it
  let mark = null;
  let mentionAt = null;
  let seen = { pinned: true, inView: 0, isFar: false };

  function moved() {
    if (isPlaced && isNews()) scrolled(seen);
  }

  $("latest").addEventListener("click", () => {
    if (shown.newer) return newest();
    const unread = firstUnread();
    if (unread && !isInView(unread)) scroll.startAt(withDivider(unread));
    else scroll.follow();
    if (isNews()) scrolled(seen);
    if (scroll.follows()) done();
  });
  $("older").addEventListener("click", older);
  chooseByTouch(list);

  const beginning = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && older(), {
    root: log,
    rootMargin: "240px 0px 0px",
  });

  function draw(state, talk, pending) {
    if (shown !== talk) begin(talk);
    log.setAttribute("aria-busy", String(!talk.loaded || talk.loading !== null));
    drawBeginning(talk, pending.length);
    mentionAt = mentionsIn(state, talk);
    arrange(list, timeline(state, talk, pending, new Date()), rowsOfKind);
    roving.settle();
    announce(talk, messages(talk), state);
    if (state.pinned) scroll.follow();
    else scroll.keep();
    place(state, talk);
    target(state, talk, scroll.center);
    if (isPlaced) {
      isNews();
      viewed(seen);
    }
    drawLatest(talk);
    // Observing again triggers the callback if the beginning is already visible.
    beginning.disconnect();
    beginning.observe($("older"));
  }

  function begin(talk) {
    arrange(list, [], rowsOfKind);
    shown = talk;
    isPlaced = false;
    mark = null;
    seen = { pinned: true, inView: 0, isFar: false };
  }

  /** Shows the first new message where the reader left, unless they follow what arrives. */
  function place(state, talk) {
    const isLeft = !isPlaced || talk.mark !== mark || !state.visible;
    const isLinked = talk.newer || state.target?.key === talk.key;
    isPlaced = talk.loaded && (isPlaced || isLinked || hasFirstNew(talk));
    if (!talk.loaded) seen = { ...seen, inView: 0 };
    else if (!isPlaced) older();
    if (!isPlaced) return;
    const divider = list.querySelector(".divider.new");
    if (divider || talk.mark === null) mark = talk.mark;
    if (isLeft && !isLinked && divider && scroll.follows() && talk.unread > 0)
      scroll.startAt(divider);
  }

  /** Updates what is in view, and returns whether that is something new. */
  function isNews() {
    const before = seen;
    const inView = Number(lastSeq(scroll.lastInView()));
    seen = {
      pinned: scroll.follows(),
      inView: Math.max(before.inView, inView),
      isFar: scroll.isFar(),
    };
    return Object.keys(seen).some((key) => seen[key] !== before[key]);
  }

  /** The `seq` of `row`, or of the last message before it that is stored. */
  function lastSeq(row) {
    let at = row;
    while (at && !at.dataset.seq) at = at.previousElementSibling;
    return at?.dataset.seq ?? 0;
  }

  const firstUnread = () =>
    [...list.querySelectorAll("[data-seq]")].find((it) => Number(it.dataset.seq) > shown.read);

  const withDivider = (row) =>
    row.previousElementSibling?.classList.contains("divider") ? row.previousElementSibling : row;

  const isInView = (row) => Number(row.dataset.seq) <= seen.inView;

  function drawLatest({ unread, newer }) {
    $("latest").hidden = !newer && (seen.pinned || (unread === 0 && !seen.isFar));
    setText($("latest"), latestLine(unread));
  }

  const rowsOfKind = {
    key: (row) => row.key,
    create: (row) => (row.kind === "message" ? messageRow(row) : divider(row)),
    update: (node, row) => row.kind === "message" && updateRow(node, row, actions, mentionAt),
  };

  /** Opens the user's last message for editing. */
  function editLast() {
    const last = [...list.querySelectorAll(".message.own")].findLast((it) =>
      it.querySelector(".edit"),
    );
    if (last) editRow(last);
  }

  return { draw, editLast };
}

/** Whether the first new message is loaded, or too far away to be. */
function hasFirstNew({ entries, mark, more, unread }) {
  if (mark === null || unread === 0 || !more || entries.length === 0) return true;
  return entries[0].seq <= mark + 1 || entries.length >= PLACE_ENTRIES_MAX;
}

/** Finds mentions of the people of a conversation; the names are collected when a text has an `@`. */
function mentionsIn({ user }, talk) {
  let find = null;
  return (text, at) => {
    find ??= makeMentionFinder(namesIn(talk), [user, nameOf(user)]);
    return find(text, at);
  };
}

function namesIn(talk) {
  const users = new Set([...(talk.users ?? []), ...messages(talk).map(({ author }) => author)]);
  if (talk.kind === "direct") users.add(talk.name);
  return [...users, ...[...users].map(nameOf)];
}

function drawBeginning(talk, pendingCount) {
  const { kind, name, loaded, more, problem } = talk;
  const isEmpty = messages(talk).length + pendingCount === 0;
  const node = $("beginning");
  $("older").hidden = !loaded || !more;
  node.classList.toggle("empty", isEmpty && loaded);
  node.classList.toggle("loading", !loaded && !problem);
  node.hidden = loaded && more;
  if (problem) setText(node, problem);
  else if (!loaded) setText(node, "Fetching messages…");
  else if (kind === "direct") setText(node, `Only you and ${nameOf(name)} can read this.`);
  else if (isEmpty) setText(node, "Nothing has been said here yet. Say hello and be the first.");
  else setText(node, `This is where ${name} began.`);
}

function divider({ kind, text }) {
  const made = element("div", { className: `divider ${kind}` }, element("span", {}, text));
  made.setAttribute("role", "separator");
  made.setAttribute("aria-label", text);
  return made;
}
