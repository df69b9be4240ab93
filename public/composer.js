// The message field: Enter sends, and every conversation keeps its draft.

import { makeAttachments } from "./attachment.js";
import { bodySize } from "./body.js";
import { setText } from "./dom.js";
import { nameOf } from "./names.js";
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
  let limits = null;
  const complain = (text) => setText($("composer-problem"), text);
  const attachments = makeAttachments({
    current: () => talk,
    limits: () => limits,
    mayWrite: () => !field.readOnly,
    complain,
  });

  function fit() {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  }

  /** Sends the images and the text; what cannot be sent stays in the composer. */
  function submit() {
    if (field.readOnly) return;
    if (attachments.isBusy()) return complain("The images are not ready yet.");
    const text = field.value.replace(/^\s*\n/, "").trimEnd();
    if (text === "" && talk.images.length === 0) return field.focus();
    stops();
    const bodies = bodiesOf(talk.images, text);
    for (const body of bodies) {
      const problem = send(body);
      if (problem !== "") return complain(problem);
      if (typeof body !== "string") talk.images.shift();
      attachments.draw();
    }
    complain("");
    field.value = "";
    talk.draft = "";
    fit();
    field.focus();
  }

  /** A message for each image. The text is the caption of the last one, if both fit in one message. */
  function bodiesOf(images, text) {
    const bodies = images.map(({ alt, ...image }) => (alt === "" ? image : { ...image, alt }));
    const last = bodies.at(-1);
    if (!last || text === "") return text === "" ? bodies : [text];
    const captioned = { ...last, text };
    const fits = bodySize(captioned) <= (limits?.bodyBytesMax ?? 0);
    return fits ? [...bodies.slice(0, -1), captioned] : [...bodies, text];
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
      ({ limits } = state);
      field.readOnly = isReader;
      $("attach").disabled = isReader;
      field.placeholder = isReader ? "You may only read here" : `Message ${nameOf(opened.name)}`;
      if (talk === opened) return;
      stops();
      talk = opened;
      field.value = talk.draft;
      complain("");
      attachments.draw();
      fit();
    },
  };
}
