// One message in the log: author, time, body and delivery state.

import { drawAvatar } from "./avatar.js";
import { bodyElement, bodyMark } from "./body.js";
import { element } from "./dom.js";
import { closeEditor, toolsElement } from "./tools.js";
import { momentOf, timeOf } from "./words.js";

export function messageRow({ message, own }) {
  const { author } = message;
  const avatar = element("span");
  drawAvatar(avatar, author);
  avatar.setAttribute("aria-hidden", "true");
  const by = element("p", { className: "by" });
  by.append(element("bdi", { className: "author" }, author), " ", element("time"));
  const parts = Array.from({ length: 3 }, () => element("div"));
  const bubble = element("div", { className: "bubble" }, ...parts);
  const content = element("div", { className: "content" }, by, bubble);
  const row = element("div", {}, ...(own ? [content] : [avatar, content]));
  row.dataset.author = author;
  return row;
}

/** `actions` are `retry(entry)`, `discard(entry)`, `edit(message, text)` and `remove(message)`. */
export function updateRow(node, row, actions) {
  const { message, own, first, last, status } = row;
  const { at, deleted } = message;
  node.className = `message ${status}`;
  for (const [name, is] of Object.entries({ own, first, last, deleted })) {
    node.classList.toggle(name, is === true);
  }
  const bubble = node.querySelector(".bubble");
  updateBubble(bubble, row, actions);
  const time = node.querySelector(".by time");
  if (time.dateTime !== at) {
    time.dateTime = at;
    time.title = momentOf(at);
    time.textContent = timeOf(at);
    bubble.dataset.time = timeOf(at);
  }
  updateNote(node, row, actions);
}

/** Draws each part of the bubble that changed. */
function updateBubble(bubble, { message, mayEdit, mayDelete }, actions) {
  const { body, deleted, deletedBy, editedAt } = message;
  const [said, edited, tools] = bubble.children;
  part(said, [bodyMark(body), deleted, deletedBy], () =>
    deleted ? deletedElement(message) : bodyElement(body),
  );
  part(edited, editedAt, () => editedElement(editedAt));
  part(tools, (mayEdit || mayDelete) && [mayEdit, mayDelete, bodyMark(body)], () =>
    toolsElement(bubble, message, { mayEdit, mayDelete }, actions),
  );
  if (!mayEdit) closeEditor(bubble);
}

/** Replaces the content of `node` when `value` changes; without a value it is empty. */
function part(node, value, make) {
  const mark = JSON.stringify(value || null);
  if (node.dataset.mark === mark) return;
  node.dataset.mark = mark;
  node.replaceChildren(...(value ? [make()] : []));
}

function deletedElement({ author, deletedBy }) {
  const by = deletedBy === null || deletedBy === author ? "" : ` by ${deletedBy}`;
  return element("p", { className: "gone" }, `Message deleted${by}`);
}

function editedElement(at) {
  const time = element("time", { dateTime: at, title: momentOf(at) }, timeOf(at));
  return element("p", { className: "edited" }, element("span", {}, "(edited)"), " ", time);
}

function updateNote(node, row, actions) {
  const note = noteMark(row);
  if (node.dataset.note === note) return;
  node.dataset.note = note;
  node.querySelector(".note")?.remove();
  const shown = noteElement(row, actions);
  if (shown) node.querySelector(".content").append(shown);
}

const noteMark = ({ message, status, entry, seen }) =>
  [status, entry?.problem, seen, message.later].join("/");

function noteElement({ message: { later }, status, entry, seen }, { retry, discard }) {
  const note = element("p", { className: "note" });
  if (status === "pending") {
    note.append("Sending…");
  } else if (status === "failed") {
    note.append(
      `${entry.problem} `,
      element("button", { type: "button", onclick: () => retry(entry) }, "Retry"),
      " ",
      element("button", { type: "button", onclick: () => discard(entry) }, "Discard"),
    );
  } else if (seen) {
    note.append("Read");
  } else if (later) {
    note.append(`${later} is away and will see it later`);
  } else {
    return null;
  }
  return note;
}
