// A modal dialog: Escape, its button, or a click outside of it close it, and the focus returns to
// where it was.

import { element } from "./dom.js";

/** `leave` is the text of the button that closes, `closed()` is called whenever it has closed. */
export function makeDialog({ id, heading, leave = "Close", closed = () => {} }, ...children) {
  const title = element("h2", { id: `${id}-heading` }, heading);
  const close = element("button", { type: "button", className: "quiet" }, leave);
  const head = element("header", {}, title, close);
  const node = element("dialog", { id, className: "sheet" }, head, ...children);
  node.setAttribute("aria-labelledby", title.id);
  close.addEventListener("click", () => node.close());
  node.addEventListener("close", closed);
  node.addEventListener("click", ({ target }) => target === node && node.close());
  // The page has its own use of Escape.
  node.addEventListener("keydown", (event) => event.key === "Escape" && event.stopPropagation());
  document.body.append(node);

  return {
    node,
    title,
    isOpen: () => node.open,
    open: () => node.open || node.showModal(),
    close: () => node.close(),
  };
}
