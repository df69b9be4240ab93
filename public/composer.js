// The message field: Enter sends, and every conversation keeps its draft.

import { makeAttachment } from "./attachment.js";
import { setText } from "./dom.js";
import { mayWrite } from "./state.js";

const $ = (id) => document.getElementById(id);

/**
 * `send(body)` returns a problem as a text when the message cannot be sent; the draft then stays.
 * `types(talk)` and `stops()` are called while the user writes, and `editLast()` edits the last own
 * message.
 */
export function makeComposer({ send, types, stops, editLast }) {
  const field = $("message");
  let talk = null;
  const complain = (text) => setText($("composer-problem"), text);
  const drawAttached = makeAttachment({ attach, complain });

  function attach(image) {
    talk.image = image;
    complain("");
    drawAttached(image);
  }

  function fit() {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  }

  /** Sends the image first and then the text; what cannot be sent stays in the composer. */
  function submit() {
    if (field.readOnly) return;
    const text = field.value.replace(/^\s*\n/, "").trimEnd();
    if (text === "" && talk.image === null) return field.focus();
    stops();
    if (talk.image !== null) {
      const problem = send(talk.image);
      if (problem !== "") return complain(problem);
      attach(null);
    }
    if (text !== "") {
      const problem = send(text);
      if (problem !== "") return complain(problem);
    }
    complain("");
    field.value = "";
    talk.draft = "";
    fit();
    field.focus();
  }

  field.addEventListener("input", () => {
    talk.draft = field.value;
    complain("");
    if (field.value.trim() === "") stops();
    else types(talk);
    fit();
  });
  field.addEventListener("blur", stops);
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowUp" && field.value === "") {
      event.preventDefault();
      return editLast();
    }
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
    draw(state, opened) {
      const isReader = !mayWrite(state, opened);
      field.readOnly = isReader;
      $("attach").disabled = isReader;
      field.placeholder = isReader ? "You may only read here" : `Message ${opened.name}`;
      if (talk === opened) return;
      stops();
      talk = opened;
      field.value = talk.draft;
      complain("");
      drawAttached(talk.image);
      fit();
    },
  };
}
