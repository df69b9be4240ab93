// The notifications button and panel, newest first.

import { bodyElement } from "./body.js";
import { arrange, element, setText } from "./dom.js";
import { messages } from "./entries.js";
import { makePanel } from "./panel.js";
import { momentOf, recently } from "./words.js";

const $ = (id) => document.getElementById(id);

/**
 * `inboxToggled(isOpen)` is called when the panel opens or closes, `olderNotifications()` when more
 * are wanted.
 */
export function makeInbox({ inboxToggled, olderNotifications }) {
  makePanel($("bell"), $("inbox"), inboxToggled);
  $("inbox-older").addEventListener("click", olderNotifications);

  return function draw({ inbox, inboxOpen }) {
    const { unread, loaded, more, problem, muted } = inbox;
    const count = unread > 99 ? "99+" : String(unread);
    $("bell-count").hidden = unread === 0;
    $("bell-count").classList.toggle("muted", muted);
    setText($("bell-count"), count);
    const label = unread > 0 ? `Notifications, ${count} unread` : "Notifications";
    $("bell").setAttribute("aria-label", label);
    if (!inboxOpen) return;
    const all = messages(inbox).toReversed();
    arrange($("notifications"), all, rows);
    $("inbox-older").hidden = !loaded || !more;
    $("inbox-empty").hidden = all.length > 0;
    setText($("inbox-empty"), problem ?? (loaded ? "Nothing yet." : "Fetching…"));
  };
}

const rows = {
  key: ({ seq }) => seq,
  create({ author, at, body }) {
    const time = element("time", { dateTime: at, title: momentOf(at) }, recently(at));
    const by = element("p", { className: "hint" }, element("bdi", {}, author), " · ", time);
    return element("li", { className: "notification" }, bodyElement(readable(body)), by);
  },
};

/** A notification is usually an object for programs; its text is shown, if it has one. */
function readable(body) {
  const text = body?.text ?? body?.message ?? body?.title;
  return typeof text === "string" ? text : body;
}
