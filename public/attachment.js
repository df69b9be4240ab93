// An image to send with a message: chosen or pasted, and shown by its name until it is sent or
// removed.

import { IMAGE_TYPES, imageType } from "./body.js";
import { setText } from "./dom.js";
import { bytes } from "./words.js";

const $ = (id) => document.getElementById(id);

/**
 * `attach(image)` receives `{image, type, name}` or null; `complain(text)` receives the reason of a
 * refusal.
 */
export function makeAttachment({ attach, complain }) {
  const field = $("image");
  field.accept = IMAGE_TYPES.join();

  $("attach").addEventListener("click", () => field.click());
  field.addEventListener("change", () => {
    void take(field.files);
    field.value = "";
  });
  $("message").addEventListener("paste", (event) => {
    const { files } = event.clipboardData;
    if (files.length === 0) return;
    event.preventDefault();
    void take(files);
  });
  $("detach").addEventListener("click", () => {
    attach(null);
    $("message").focus();
  });

  async function take([file]) {
    if (!file) return;
    const { name } = file;
    const image = await file.arrayBuffer();
    const type = imageType(image);
    if (!type) return complain("Only PNG, JPEG, GIF and WebP images can be sent.");
    attach({ image, type, name });
    $("message").focus();
  }

  return function draw(attached) {
    $("attached").hidden = attached === null;
    if (attached)
      setText($("attached-name"), `${attached.name}, ${bytes(attached.image.byteLength)}`);
  };
}
