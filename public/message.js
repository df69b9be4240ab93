// One message in the log: author, time, body and delivery state.

import { drawAvatar } from "./avatar.js";
import { bodyElement, bodyMark } from "./body.js";
import { element } from "./dom.js";
import { nameOf } from "./names.js";
import { closeConfirmation, closeEditor, toolsElement } from "./tools.js";
import { momentOf, timeOf } from "./words.js";

export function messageRow({ message, own }) {
  const { author } = message;
  const avatar = element("span");
  avatar.setAttribute("aria-hidden", "true");
  const by = element("p", { className: "by" });
  by.append(element("bdi", { className: "author" }), " ", linkElement());
  const bubble = element("div", { className: "bubble" }, element("div"), element("div"));
  const beside = element("div", { className: "beside" });
  const line = element("div", { className: "line" }, bubble, beside);
  const content = element("div", { className: "content" }, by, line);
  const row = element("div", {}, ...(own ? [content] : [avatar, content]));
  row.setAttribute("role", "article");
  row.dataset.author = author;
  return row;
}

/** The time, as a link to the message (see target.js). The Tab key passes it: there may be many. */
const linkElement = () => element("a", { className: "when", tabIndex: -1 }, element("time"));

/**
 * `actions` are `retry(entry)`, `discard(entry)`, `edit(message, text)` and `remove(message)`;
 * `mentionAt` is described in mentions.js.
 */
export function updateRow(node, row, actions, mentionAt) {
  const { message, own, first, last, status } = row;
  const { at, author, deleted, seq } = message;
  const isChosen = node.classList.contains("chosen");
  node.className = `message ${status}`;
  const classes = { own, first, last, deleted, chosen: isChosen };
  for (const [name, is] of Object.entries(classes)) node.classList.toggle(name, is === true);
  if (status === "stored") node.dataset.seq = seq;
  const by = node.querySelector(".author");
  if (by.textContent !== nameOf(author)) {
    by.textContent = nameOf(author);
    if (!own) drawAvatar(node.firstChild, nameOf(author));
  }
  updateLine(node.querySelector(".line"), row, actions, mentionAt);
  const time = node.querySelector(".by time");
  if (time.dateTime !== at) {
    time.dateTime = at;
    time.title = momentOf(at);
    time.textContent = timeOf(at);
    node.querySelector(".line").dataset.time = timeOf(at);
  }
  updateNote(node, row, actions);
}

/** Draws each part that changed. */
function updateLine(line, { message, mayEdit, mayDelete }, actions, mentionAt) {
  const { body, deleted, editedAt } = message;
  const [bubble, tools] = line.children;
  const [said, edited] = bubble.children;
  const deletedBy = message.deletedBy && nameOf(message.deletedBy);
  part(said, [bodyMark(body), deleted, deletedBy], () =>
    deleted ? deletedElement(message) : bodyElement(body, mentionAt),
  );
  part(edited, editedAt, () => editedElement(editedAt));
  part(tools, (mayEdit || mayDelete) && [mayEdit, mayDelete, bodyMark(body)], () =>
    toolsElement(bubble, message, { mayEdit, mayDelete }, actions),
  );
  if (!mayEdit) closeEditor(bubble);
  if (!mayDelete) closeConfirmation(line);
}

/** Replaces the content of `node` when `value` changes; without a value it is empty. */
function part(node, value, make) {
  const mark = JSON.stringify(value || null);
  if (node.dataset.mark === mark) return;
  node.dataset.mark = mark;
  node.replaceChildren(...(value ? [make()] : []));
}

function deletedElement({ author, deletedBy }) {
  const gone = element("p", { className: "gone" }, "Message deleted");
  if (deletedBy !== null && deletedBy !== author) {
    gone.append(" by ", element("bdi", {}, nameOf(deletedBy)));
  }
  return gone;
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
  [status, entry?.problem, seen, message.later && nameOf(message.later)].join("/");

function noteElement({ message: { body, later }, status, entry, seen }, { retry, discard }) {
  const note = element("p", { className: "note" });
  if (status === "pending") {
    // The browser does not tell how much of an image has been sent.
    if (typeof body !== "string") note.append(progress("Sending the image"), " ");
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
    note.append(element("bdi", {}, nameOf(later)), " is away and will see it later");
  } else {
    return null;
  }
  return note;
}

function progress(label) {
  const bar = element("progress");
  bar.setAttribute("aria-label", label);
  return bar;
}
