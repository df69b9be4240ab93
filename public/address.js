// Addresses of conversations and messages: `#/room/lobby`, `#/with/ann`, and `#/room/lobby/41` for
// the message with that `seq`.

import { directKey, roomKey } from "./state.js";

const KEYS = { room: roomKey, with: directKey };
const NAME_CHARACTERS_MAX = 64;

export function addressOf(key, seq) {
  const [kind] = key.split(":", 1);
  const place = `#/${kind}/${encodeURIComponent(key.slice(kind.length + 1))}`;
  return seq === undefined ? place : `${place}/${seq}`;
}

/** The `{key, seq?}` of an address, or null. */
export function placeAt(hash) {
  const [, kind, encoded, seq] = /^#\/(room|with)\/([^/]+)(?:\/([1-9]\d{0,14}))?$/.exec(hash) ?? [];
  if (kind === undefined) return null;
  const name = decoded(encoded).trim();
  if (name === "" || [...name].length > NAME_CHARACTERS_MAX) return null;
  return { key: KEYS[kind](name), ...(seq && { seq: Number(seq) }) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

/** `visit({key, seq?})` is called when the user goes to another address. */
export function makeAddress({ visit }) {
  let known = location.hash; // any other is one that the user goes to, and is followed in a moment

  addEventListener("hashchange", () => {
    known = location.hash;
    const place = placeAt(known);
    if (place) visit(place);
  });

  function write(method, address) {
    history[method](null, "", address);
    known = location.hash;
  }

  return {
    place: () => placeAt(location.hash),
    /** Puts the open conversation into the address; the former one stays in the history. */
    show({ open, target }) {
      if (location.hash !== known) return;
      const shown = placeAt(known);
      const isSame = shown?.key === open;
      if (isSame && (shown.seq === undefined || target !== null)) return;
      // The first address of the page is no step that the user has made.
      write(isSame || shown === null ? "replaceState" : "pushState", addressOf(open));
    },
    /** Takes back an address that leads nowhere. */
    replace: (key) => write("replaceState", addressOf(key)),
    /** For the next user, the address says nothing of this one. */
    clear: () => write("replaceState", location.pathname + location.search),
  };
}
