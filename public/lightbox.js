// Shows images at full size in a dialog. Arrow keys and swipes go to the image before or after, Escape
// closes.

import { element, icon, setText } from "./dom.js";

const STEPS = { ArrowLeft: -1, ArrowRight: 1 };
const SWIPE_PX = 60;

/** Shows `picture`, one of `pictures`: `{bytes, type, alt, name}`. */
export function openLightbox(pictures, picture) {
  const opener = document.activeElement;
  const image = element("img");
  const caption = element("p", { dir: "auto" });
  const place = element("p", { className: "place" });
  const previous = button("Previous image", "M12.5 4.5 7 10l5.5 5.5", () => step(-1));
  const next = button("Next image", "M7.5 4.5 13 10l-5.5 5.5", () => step(1));
  const save = element("a", { className: "quiet" }, "Save");
  const close = button("Close", "M5 5l10 10M15 5 5 15", () => dialog.close());
  const bar = element("div", { className: "lightbox-bar" }, place, save, close);
  const figure = element("div", { className: "lightbox-image" }, image);
  const dialog = element("dialog", { className: "lightbox" }, bar, previous, figure, next, caption);
  dialog.setAttribute("aria-label", "Image");
  place.setAttribute("role", "status");
  let at = pictures.indexOf(picture);
  let src = null;

  function show() {
    const { bytes, type, alt, name } = pictures[at];
    release();
    src = URL.createObjectURL(new Blob([bytes], { type }));
    Object.assign(image, { src, alt });
    Object.assign(save, { href: src, download: name || "image" });
    setText(caption, alt);
    setText(place, pictures.length > 1 ? `${at + 1} of ${pictures.length}` : "");
    previous.disabled = at === 0;
    next.disabled = at === pictures.length - 1;
  }

  function step(by) {
    if (!pictures[at + by]) return;
    at += by;
    show();
    if (document.activeElement?.disabled || !dialog.contains(document.activeElement)) close.focus();
  }

  function release() {
    if (src !== null) URL.revokeObjectURL(src);
  }

  dialog.addEventListener("keydown", (event) => {
    // The keys belong to the dialog: the page behind it would move its focus.
    event.stopPropagation();
    if (event.key in STEPS) step(STEPS[event.key]);
  });
  let from = null;
  figure.addEventListener("touchstart", ({ touches }) => {
    from = touches.length === 1 ? touches[0].clientX : null;
  });
  figure.addEventListener("touchend", ({ changedTouches }) => {
    const by = from === null ? 0 : changedTouches[0].clientX - from;
    if (Math.abs(by) >= SWIPE_PX) step(by < 0 ? 1 : -1);
  });
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog || target === figure) dialog.close();
  });
  dialog.addEventListener("close", () => {
    release();
    dialog.remove();
    opener?.focus();
  });
  document.body.append(dialog);
  show();
  dialog.showModal();
  close.focus();
}

function button(label, path, onclick) {
  const made = element("button", { type: "button", className: "round", onclick }, icon(path));
  made.setAttribute("aria-label", label);
  return made;
}
