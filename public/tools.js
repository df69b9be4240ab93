// The buttons of a message: edit it in place, or delete it.
//
// They stand beside the message while the mouse is over it or one of them has the focus. On touch
// screens a tap or a long press shows them below it, for one message at a time.

import { sourceOf } from "./body.js";
import { element, icon, setText } from "./dom.js";
import { refusal } from "./words.js";

const LONG_PRESS_MS = 500;
const EXCERPT_CHARACTERS_MAX = 40;
const PEN = "M4 16l.8-3.4L13.6 3.8l2.6 2.6-8.8 8.8L4 16z";
const BIN = "M4.5 6h11M8 6V4.2h4V6M6 6l.6 10h6.8L14 6";

/**
 * The buttons of a message in its `bubble`. `edit(message, text)` and `remove(message)` return the
 * problem as a text, or nothing; `done()` is called when the focus is no longer needed here.
 */
export function toolsElement(bubble, message, { mayEdit, mayDelete }, actions) {
  const tools = element("div", { className: "tools" });
  if (mayEdit) {
    const open = () => openEditor(bubble, message, actions);
    tools.append(button("Edit", PEN, message, open));
  }
  if (mayDelete) {
    const ask = () => askDeletion(bubble, made, message, actions);
    const made = button("Delete", BIN, message, ask);
    tools.append(made);
  }
  return tools;
}

/** Closes the editor without a change. */
export function closeEditor(bubble) {
  bubble.classList.remove("editing");
  bubble.querySelector(".editor")?.remove();
}

/** Closes the question about the message in `line`. */
export const closeConfirmation = (line) =>
  line.parentElement.querySelector(".confirmation")?.remove();

/** Opens the editor of a message, if it has that button. */
export const editRow = (row) => row.querySelector(".tools .edit")?.click();

/**
 * A tap on a message of `list`, or a long press where a tap does something else, shows its tools and
 * hides those of another.
 */
export function chooseByTouch(list) {
  let pressing = null;
  let isLong = false; // the click that follows belongs to the long press

  function choose(row) {
    for (const it of list.querySelectorAll(".message.chosen")) {
      if (it !== row) it.classList.remove("chosen");
    }
    if (list.contains(row)) row.classList.toggle("chosen");
  }

  list.addEventListener("pointerdown", ({ pointerType, target }) => {
    isLong = false;
    clearTimeout(pressing);
    const row = target.closest(".bubble")?.closest(".message");
    if (pointerType !== "touch" || !row || target.closest(".editor")) return;
    pressing = setTimeout(() => {
      isLong = true;
      if (!row.classList.contains("chosen")) choose(row);
    }, LONG_PRESS_MS);
  });
  // A finger that scrolls cancels the pointer.
  for (const end of ["pointerup", "pointercancel"]) {
    list.addEventListener(end, () => clearTimeout(pressing));
  }
  list.addEventListener("contextmenu", (event) => {
    if (isLong && event.target.closest(".picture")) event.preventDefault();
  });
  document.addEventListener(
    "click",
    (event) => {
      if (isLong && list.contains(event.target)) {
        isLong = false;
        event.preventDefault();
        event.stopPropagation();
      } else if (!event.target.closest(".tools, .confirmation, .editor, a, .picture")) {
        const row = event.target.closest(".bubble")?.closest(".message") ?? null;
        if (getSelection().isCollapsed) choose(row);
      }
    },
    { capture: true },
  );
}

function button(label, path, message, onclick) {
  const className = label.toLowerCase();
  const made = element("button", { type: "button", className, title: label, onclick }, icon(path));
  made.setAttribute("aria-label", `${label}: ${excerptOf(message)}`);
  return made;
}

function excerptOf({ body }) {
  const text = sourceOf(body) || (typeof body === "string" ? body : "attachment");
  return text.length > EXCERPT_CHARACTERS_MAX ? `${text.slice(0, EXCERPT_CHARACTERS_MAX)}…` : text;
}

/** Asks for confirmation below the message, because a deletion cannot be undone. */
function askDeletion(bubble, opener, message, { remove, done }) {
  for (const it of document.querySelectorAll(".confirmation")) it.remove();
  const problem = problemElement();
  const yes = element("button", { type: "button", className: "danger" }, "Delete");
  yes.setAttribute("aria-label", `Really delete? Delete: ${excerptOf(message)}`);
  const no = element("button", { type: "button", className: "quiet" }, "Keep");
  const asked = element("span", {}, "Really delete?");
  const confirmation = element("div", { className: "confirmation" }, asked, no, yes, problem);

  function close() {
    confirmation.remove();
    opener.focus();
  }

  async function confirm() {
    yes.disabled = true;
    setText(problem, await remove(message));
    yes.disabled = false;
    if (problem.textContent !== "") return;
    confirmation.remove();
    done();
  }

  no.addEventListener("click", close);
  yes.addEventListener("click", confirm);
  confirmation.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    close();
  });
  bubble.parentElement.after(confirmation);
  yes.focus();
}

function problemElement() {
  const problem = element("p", { className: "problem" });
  problem.setAttribute("role", "alert");
  return problem;
}

function openEditor(bubble, message, { edit, done }) {
  if (bubble.classList.contains("editing")) return;
  const source = sourceOf(message.body);
  const field = element("textarea", { value: source, rows: 1, dir: "auto" });
  field.setAttribute("aria-label", "Edit message");
  const problem = problemElement();
  const save = element("button", { className: "quiet" }, "Save");
  const cancel = element(
    "button",
    { type: "button", className: "quiet", onclick: close },
    "Cancel",
  );
  const editor = element("form", { className: "editor" }, field, save, cancel, problem);

  function close() {
    // The focus is not moved back if the user has moved it meanwhile.
    const hasFocus = editor.contains(document.activeElement);
    closeEditor(bubble);
    if (hasFocus) done();
  }

  async function submit() {
    const text = field.value.trim();
    if (text === source) return close();
    if (text === "") return setText(problem, refusal("message_empty"));
    save.disabled = true;
    setText(problem, await edit(message, text));
    save.disabled = false;
    if (problem.textContent === "") close();
  }

  function fit() {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  }

  editor.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });
  editor.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    } else if (event.key === "Enter" && event.target === field && !event.shiftKey) {
      event.preventDefault();
      void submit();
    }
  });
  field.addEventListener("input", fit);
  bubble.classList.add("editing");
  bubble.append(editor);
  fit();
  field.focus();
}
