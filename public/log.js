// Draws the messages of the open conversation, and keeps the scroll position.

import { arrange, element, setText } from "./dom.js";
import { messages } from "./entries.js";
import { messageRow, updateRow } from "./message.js";
import { makeRoving } from "./roving-tabindex.js";
import { timeline } from "./timeline.js";
import { editRow } from "./tools.js";

// Closer to the end than this counts as the end.
const END_SLACK_PX = 48;

const $ = (id) => document.getElementById(id);

/** `actions` are those of a message, and of the log: `scrolled`, `done` and `older`. */
export function makeLog(actions) {
  const { scrolled, done, older } = actions;
  const log = $("log");
  const list = $("messages");
  const roving = makeRoving(list);
  let shown = null;
  let pinned = true;

  const isAtEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < END_SLACK_PX;
  const toEnd = () => {
    log.scrollTop = log.scrollHeight;
  };

  log.addEventListener("scroll", () => {
    if (isAtEnd() === pinned) return;
    pinned = isAtEnd();
    scrolled(pinned);
  });
  $("latest").addEventListener("click", () => {
    toEnd();
    done();
  });
  $("older").addEventListener("click", older);

  // Images load and windows resize after drawing: a log at the end stays at the end.
  const sizes = new ResizeObserver(() => pinned && toEnd());
  sizes.observe(log);
  sizes.observe(list);

  const beginning = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && older(), {
    root: log,
    rootMargin: "240px 0px 0px",
  });

  function draw(state, talk, pending) {
    if (shown !== talk.key) arrange(list, [], rowsOfKind);
    shown = talk.key;
    pinned = state.pinned;
    log.setAttribute("aria-busy", String(!talk.loaded || talk.loading !== null));
    const anchor = pinned ? null : firstVisible();
    const top = anchor?.offsetTop;
    drawBeginning(talk, pending.length);
    arrange(list, timeline(state, talk, pending, new Date()), rowsOfKind);
    roving.settle();
    if (pinned) toEnd();
    else if (anchor?.isConnected) log.scrollTop += anchor.offsetTop - top;
    $("latest").hidden = pinned || talk.unread === 0;
    // Observing again triggers the callback if the beginning is already visible.
    beginning.disconnect();
    beginning.observe($("older"));
  }

  // A message, because dividers depend on what precedes them.
  const firstVisible = () =>
    [...list.querySelectorAll(".message")].find(
      (it) => it.offsetTop + it.offsetHeight > log.scrollTop,
    );

  const rowsOfKind = {
    key: (row) => row.key,
    create: (row) => (row.kind === "message" ? messageRow(row) : divider(row)),
    update: (node, row) => row.kind === "message" && updateRow(node, row, actions),
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
  else if (kind === "direct") setText(node, `Only you and ${name} can read this.`);
  else if (isEmpty) setText(node, "Nothing has been said here yet. Say hello and be the first.");
  else setText(node, `This is where ${name} began.`);
}

function divider({ kind, text }) {
  return element("div", { className: `divider ${kind}` }, element("span", {}, text));
}
