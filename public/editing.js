// Edits and deletes messages.

import { addTo, opened, placeOf } from "./state.js";
import { refusal } from "./words.js";

/** Both return the problem as a text, or nothing. */
export function makeEditing({ state, ask, changed }) {
  async function edit({ seq, id, body }, text) {
    const msg = typeof body === "string" ? text : { ...body, text };
    return amend("message edited", { of: seq, id, msg }, await send("edit message", { seq, msg }));
  }

  async function remove({ seq, id }) {
    return amend("message deleted", { of: seq, id }, await send("delete message", { seq }));
  }

  async function send(event, request) {
    const talk = opened(state);
    return { talk, ...(await ask(event, { ...placeOf(talk), ...request })) };
  }

  /** Folds the change itself, because its event may not be sent to the requesting connection. */
  function amend(event, entry, { talk, ok, code, message, seq, at }) {
    if (!ok) return refusal(code, message);
    addTo(state, talk, { event, seq, at, user: state.user, ...entry });
    changed(talk);
    return "";
  }

  return { edit, remove };
}
