// Tells screen readers of new messages, once each.
//
// The log itself is not a live region: it would be read again when older pages load, when a
// conversation opens, and when a message is sent, edited or deleted.

import { sourceOf } from "./body.js";
import { element } from "./dom.js";
import { nameOf } from "./names.js";

const KEPT = 10;
/** More than this arrive together: only their number is told. */
const TOLD_MAX = 4;

export function makeAnnouncer(region) {
  let shown = null;
  let last = 0;

  /** To be called with all `messages` of the conversation `talk`, oldest first, when they change. */
  return function announce(talk, messages, { user, visible }) {
    const newest = messages.at(-1)?.seq ?? 0;
    const isKnown = shown === talk && talk.loaded;
    const arrived = isKnown && visible ? arrivedIn(messages, user) : [];
    shown = talk.loaded ? talk : null;
    last = newest;
    if (arrived.length > TOLD_MAX) tell(`${arrived.length} new messages`);
    else for (const message of arrived) tell(`${nameOf(message.author)}: ${said(message)}`);
  };

  function arrivedIn(messages, user) {
    const from = messages.findLastIndex(({ seq }) => seq <= last) + 1;
    return messages.slice(from).filter(({ author, deleted }) => author !== user && !deleted);
  }

  function tell(text) {
    region.append(element("p", { dir: "auto" }, text));
    while (region.children.length > KEPT) region.firstChild.remove();
  }
}

function said({ body }) {
  if (typeof body === "string") return body;
  const isImage = body?.image instanceof ArrayBuffer;
  const alt = isImage ? [body.alt, sourceOf(body)].filter((it) => it).join(". ") : "";
  return isImage ? `Image. ${alt}` : "An attachment";
}
