// Where the user is and was: follows the address, keeps it at the open conversation, and remembers
// what was opened last.

import { makeAddress } from "./address.js";
import { openConversation, roomKey } from "./state.js";
import { missingLine } from "./words.js";

/**
 * `open(key, seq?)` opens a conversation or a message in it, `joinOffer` is described in
 * join-offer.js, `notice(text)` shows a text.
 */
export function makeNavigation({ state, kept, open, joinOffer, notice }) {
  let hasArrived = false; // the address with which the page was opened has been followed
  const address = makeAddress({ visit: (place) => hasArrived && visit(place) });

  /** The user is known. A room opens once the server says that they are in it. */
  function enter() {
    const key = address.place()?.key ?? "";
    if (key.startsWith("with:") || state.conversations.has(key)) openConversation(state, key);
  }

  /** The rooms of the user are known. */
  function arrive() {
    if (hasArrived) return;
    hasArrived = true;
    const place = address.place();
    if (place && (place.key !== state.open || place.seq)) void visit(place);
  }

  async function visit({ key, seq }) {
    const room = key.startsWith("room:") ? key.slice("room:".length) : null;
    const isOutside =
      room !== null && (state.conversations.get(roomKey(room))?.role ?? null) === null;
    joinOffer.withdraw();
    const joined = isOutside ? await joinOffer.ask(room) : key;
    if (joined === null) address.replace(state.open);
    else if (joined !== undefined) open(key, seq);
  }

  /** The page was drawn. */
  function drawn() {
    if (!hasArrived) return;
    address.show(state);
    kept.opened(state.open);
  }

  /** Nobody is signed in any more. After `signed_out` no trace of the user is left. */
  function leave(code) {
    hasArrived = false;
    kept.save(state);
    kept.end();
    if (code !== "signed_out") return;
    kept.forget();
    address.clear();
  }

  /** There is no message at the address. */
  function lost() {
    const { key, seq } = state.target;
    state.target = null;
    notice(missingLine(seq <= (state.conversations.get(key)?.last ?? 0)));
  }

  return { enter, arrive, drawn, leave, lost };
}
