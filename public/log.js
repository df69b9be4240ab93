// Draws the messages of the open conversation, and keeps the reader's place among them.

import { drawAvatar } from "./avatar.js";
import { bodyElement } from "./body.js";
import { arrange, element, setText } from "./dom.js";
import { unread } from "./state.js";
import { timeline } from "./timeline.js";
import { momentOf, refusal, timeOf } from "./words.js";

// This near to the end counts as being at the end.
const END_SLACK_PX = 48;

const $ = (id) => document.getElementById(id);

export function makeLog({ scrolled, caughtUp, older, retry, discard }) {
  const log = $("log");
  const list = $("messages");
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
    caughtUp();
  });
  $("older").addEventListener("click", older);

  // Images arrive and windows change after drawing: whoever was at the end stays there.
  const sizes = new ResizeObserver(() => pinned && toEnd());
  sizes.observe(log);
  sizes.observe(list);

  const beginning = new IntersectionObserver(
    ([{ isIntersecting }]) => isIntersecting && older(),
    { root: log, rootMargin: "240px 0px 0px" },
  );

  function draw(state, talk, pending) {
    if (shown !== talk.key) arrange(list, [], rowsOfKind);
    shown = talk.key;
    pinned = state.pinned;
    log.setAttribute("aria-busy", String(!talk.loaded || talk.loading !== null));
    const anchor = pinned ? null : firstInSight();
    const top = anchor?.offsetTop;
    drawBeginning(talk, pending.length);
    arrange(list, timeline(state, talk, pending, new Date()), rowsOfKind);
    if (pinned) toEnd();
    else if (anchor?.isConnected) log.scrollTop += anchor.offsetTop - top;
    $("latest").hidden = pinned || unread(talk) === 0;
    // Observing anew asks once more whether the beginning is in sight.
    beginning.disconnect();
    beginning.observe($("older"));
  }

  // A message, because dividers come and go with what is before them.
  const firstInSight = () =>
    [...list.querySelectorAll(".message")].find(
      (it) => it.offsetTop + it.offsetHeight > log.scrollTop,
    );

  const rowsOfKind = {
    key: (row) => row.key,
    create: (row) => (row.kind === "message" ? messageRow(row) : divider(row)),
    update: (node, row) => row.kind === "message" && updateRow(node, row, { retry, discard }),
  };

  return { draw };
}

function drawBeginning(talk, pendingCount) {
  const { kind, name, loaded, more, problem, messages } = talk;
  const isEmpty = messages.length + pendingCount === 0;
  const node = $("beginning");
  $("older").hidden = !loaded || !more;
  node.classList.toggle("empty", isEmpty && loaded);
  node.classList.toggle("loading", !loaded && !problem);
  node.hidden = loaded && more;
  if (problem) setText(node, refusal(problem));
  else if (!loaded) setText(node, "Fetching messages…");
  else if (kind === "direct") setText(node, `Only you and ${name} can read this.`);
  else if (isEmpty) setText(node, "Nothing has been said here yet. Say hello and be the first.");
  else setText(node, `This is where ${name} began.`);
}

function divider({ kind, text }) {
  return element("div", { className: `divider ${kind}` }, element("span", {}, text));
}

function messageRow({ message, own }) {
  const { author, body } = message;
  const avatar = element("span");
  drawAvatar(avatar, author);
  avatar.setAttribute("aria-hidden", "true");
  const by = element("p", { className: "by" });
  by.append(element("bdi", { className: "author" }, author), " ", element("time"));
  const bubble = element("div", { className: "bubble" }, bodyElement(body));
  const content = element("div", { className: "content" }, by, bubble);
  const row = element("div", {}, ...(own ? [content] : [avatar, content]));
  row.dataset.author = author;
  return row;
}

function updateRow(node, { message, own, first, last, status, entry }, actions) {
  const { at, later } = message;
  node.className = `message ${status}`;
  for (const [name, is] of Object.entries({ own, first, last })) node.classList.toggle(name, is);
  const time = node.querySelector("time");
  if (time.dateTime !== at) {
    time.dateTime = at;
    time.title = momentOf(at);
    time.textContent = timeOf(at);
    node.querySelector(".bubble").dataset.time = timeOf(at);
  }
  const note = status === "stored" && later ? "later" : `${status} ${entry?.failed ?? ""}`;
  if (node.dataset.note === note) return;
  node.dataset.note = note;
  node.querySelector(".note")?.remove();
  const shown = noteElement(message, status, entry, actions);
  if (shown) node.querySelector(".content").append(shown);
}

function noteElement({ later }, status, entry, { retry, discard }) {
  const note = element("p", { className: "note" });
  if (status === "pending") {
    note.append("Sending…");
  } else if (status === "failed") {
    note.append(
      `${refusal(entry.failed)} `,
      element("button", { type: "button", onclick: () => retry(entry) }, "Retry"),
      " ",
      element("button", { type: "button", onclick: () => discard(entry) }, "Discard"),
    );
  } else if (later) {
    note.append(`${later} is away and will see it later`);
  } else {
    return null;
  }
  return note;
}
