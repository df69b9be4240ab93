// The field where a message is written: Enter sends, every conversation keeps its draft.

import { setText } from "./dom.js";

const $ = (id) => document.getElementById(id);

/** `send(text)` answers what to say when the message cannot be sent; it then stays in the field. */
export function makeComposer({ send }) {
  const field = $("message");
  let talk = null;

  function fit() {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  }

  function submit() {
    const text = field.value.replace(/^\s*\n/, "").trimEnd();
    if (text === "") return field.focus();
    const problem = send(text);
    setText($("composer-problem"), problem);
    if (problem !== "") return;
    field.value = "";
    talk.draft = "";
    fit();
    field.focus();
  }

  field.addEventListener("input", () => {
    talk.draft = field.value;
    setText($("composer-problem"), "");
    fit();
  });
  field.addEventListener("keydown", (event) => {
    // While an input method composes, Enter chooses a candidate.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  $("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });

  return {
    focus: () => field.focus(),
    draw(opened) {
      if (talk === opened) return;
      talk = opened;
      field.value = talk.draft;
      field.placeholder = `Message ${talk.name}`;
      setText($("composer-problem"), "");
      fit();
    },
  };
}
