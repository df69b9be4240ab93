// An image in a message: its place is reserved before it is decoded, and a click enlarges it.

import { element } from "./dom.js";
import { imageSize } from "./image-size.js";
import { openLightbox } from "./lightbox.js";

/** The height of a tall image in the log. The styles limit the width. */
const HEIGHT_MAX_PX = 352;
const WIDTH_MAX_PX = 520;

/** What each button shows: `{bytes, type, alt, name}`. */
const pictures = new WeakMap();

/** `whenBroken()` returns what is shown in place of bytes that are no image. */
export function pictureElement({ whenBroken, ...picture }) {
  const { bytes, type, alt } = picture;
  const src = URL.createObjectURL(new Blob([bytes], { type }));
  const image = element("img", { src, alt, draggable: false });
  const button = element("button", { type: "button", className: "picture" }, image);
  reserve(image, imageSize(bytes));
  image.onload = () => {
    URL.revokeObjectURL(src);
    reserve(image, { width: image.naturalWidth, height: image.naturalHeight });
  };
  image.onerror = () => {
    URL.revokeObjectURL(src);
    button.replaceWith(whenBroken());
  };
  pictures.set(button, picture);
  button.addEventListener("click", () => openLightbox(neighbours(button), pictures.get(button)));
  return button;
}

/** Gives `image` the size in which it is shown. */
function reserve(image, size) {
  if (!size) return;
  const { width, height } = size;
  const scale = Math.min(1, HEIGHT_MAX_PX / height, WIDTH_MAX_PX / width);
  image.width = Math.max(1, Math.round(width * scale));
  image.height = Math.max(1, Math.round(height * scale));
}

/** The images of the same list, in its order. */
const neighbours = (button) =>
  [...button.closest("#messages, #notifications, body").querySelectorAll(".picture")].map((it) =>
    pictures.get(it),
  );
