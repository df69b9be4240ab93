// The message that the address names: the log scrolls to it and marks it. While the log shows
// older messages than the newest, it loads on at its end, and a button leads to the newest. The time
// of every message is a link to it.

import { addressOf } from "./address.js";
import { messages } from "./entries.js";

// Closer to the end than this, the next page is loaded.
const NEAR_PX = 240;

const $ = (id) => document.getElementById(id);

/**
 * `newer()` loads the following page, `lost()` is called when there is no such message. The result is
 * called when the log is drawn, with a function that puts a row into the middle of the view.
 */
export function makeTarget({ newer, lost }) {
  const log = $("log");
  let shown = null; // the target that was scrolled to
  let marked = null;
  let isBefore = false; // the log does not reach to the newest message

  log.addEventListener("scroll", () => {
    if (isBefore && log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_PX) newer();
  });

  function mark(row) {
    if (row === marked) return;
    marked?.removeAttribute("aria-current");
    marked = row;
    marked?.setAttribute("aria-current", "location");
  }

  return function draw({ target }, talk, center) {
    isBefore = talk.newer;
    for (const link of $("messages").querySelectorAll("[data-seq] .when:not([href])")) {
      link.href = addressOf(talk.key, link.closest("[data-seq]").dataset.seq);
    }
    const isHere = target?.key === talk.key && talk.loaded && talk.loading === null;
    const row = isHere ? rowOf(talk, target.seq) : null;
    if (target?.key !== talk.key || row) mark(row);
    if (!isHere || target === shown) return;
    shown = target;
    if (row === null) return lost();
    row.tabIndex = -1;
    row.focus({ preventScroll: true });
    center(row);
  };
}

/** The row of the message; an edit or a deletion leads to what follows it. */
function rowOf(talk, seq) {
  const found = messages(talk).find((it) => it.seq >= seq);
  return found ? $("messages").querySelector(`[data-seq="${found.seq}"]`) : null;
}
