// The buttons of a message: edit it in place, or delete it.

import { element, setText } from "./dom.js";
import { refusal } from "./words.js";

const EXCERPT_CHARACTERS_MAX = 40;

/**
 * The buttons of a message in its `bubble`. `edit(message, text)` and `remove(message)` return the
 * problem as a text, or nothing; `done()` is called when the focus is no longer needed here.
 */
export function toolsElement(bubble, message, { mayEdit, mayDelete }, actions) {
  const tools = element("div", { className: "tools" });
  const problem = element("p", { className: "problem" });
  problem.setAttribute("role", "alert");
  if (mayEdit) {
    const open = () => openEditor(bubble, message, actions);
    tools.append(button("Edit", message, { onclick: open }));
  }
  if (mayDelete) tools.append(deleteButton(message, problem, actions));
  tools.append(problem);
  return tools;
}

/** Closes the editor without a change. */
export function closeEditor(bubble) {
  bubble.classList.remove("editing");
  bubble.querySelector(".editor")?.remove();
}

/** Opens the editor of a message, if it has that button. */
export const editRow = (row) => row.querySelector(".tools .edit")?.click();

function button(label, { body }, properties) {
  const text = typeof body === "string" ? body : "attachment";
  const excerpt =
    text.length > EXCERPT_CHARACTERS_MAX ? `${text.slice(0, EXCERPT_CHARACTERS_MAX)}…` : text;
  const className = label.toLowerCase();
  const made = element("button", { type: "button", className, ...properties }, label);
  made.setAttribute("aria-label", `${label}: ${excerpt}`);
  return made;
}

/** Asks for confirmation, because a deletion cannot be undone. */
function deleteButton(message, problem, { remove, done }) {
  const made = button("Delete", message);
  const calm = made.getAttribute("aria-label");
  const arm = (armed) => {
    made.classList.toggle("armed", armed);
    setText(made, armed ? "Really delete?" : "Delete");
    made.setAttribute("aria-label", armed ? `Really delete? ${calm}` : calm);
  };
  made.addEventListener("blur", () => arm(false));
  made.addEventListener("click", async () => {
    if (!made.classList.contains("armed")) return arm(true);
    made.disabled = true;
    setText(problem, await remove(message));
    made.disabled = false;
    if (problem.textContent === "") done();
  });
  return made;
}

function openEditor(bubble, message, { edit, done }) {
  const field = element("textarea", { value: message.body, rows: 1, dir: "auto" });
  field.setAttribute("aria-label", "Edit message");
  const problem = element("p", { className: "problem" });
  problem.setAttribute("role", "alert");
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
    if (text === message.body) return close();
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
