// Shows a message's body: text, an image (`{image: bytes, type, name, alt, text}` or the bytes
// alone), bytes, or any other JSON.

import { element } from "./dom.js";
import { pictureElement } from "./picture.js";
import { textElement } from "./rich-text.js";

const IMAGES = [
  ["image/png", (it) => startsWith(it, 0, 0x89, 0x50, 0x4e, 0x47)],
  ["image/jpeg", (it) => startsWith(it, 0, 0xff, 0xd8, 0xff)],
  ["image/gif", (it) => startsWith(it, 0, 0x47, 0x49, 0x46, 0x38)],
  [
    "image/webp",
    (it) => startsWith(it, 0, 0x52, 0x49, 0x46, 0x46) && startsWith(it, 8, 0x57, 0x45, 0x42, 0x50),
  ],
];

/** The image types that are shown, and may be sent. */
export const IMAGE_TYPES = IMAGES.map(([type]) => type);

/** `mentionAt` is described in mentions.js. */
export function bodyElement(body, mentionAt) {
  if (typeof body === "string") return textElement(body, mentionAt);
  const bytes = isBytes(body) ? body : body?.image;
  const type = isBytes(bytes) ? imageType(bytes) : undefined;
  if (!type) return code(isBytes(body) ? label(body) : bodyMark(body));
  const { name = "", alt = "" } = body;
  const names = [alt, name, `Image, ${bytes.byteLength} bytes`];
  const picture = pictureElement({
    bytes,
    type,
    alt: names.find((it) => typeof it === "string" && it.trim() !== ""),
    name: typeof name === "string" ? name : "",
    whenBroken: () => code(label(bytes)),
  });
  const text = sourceOf(body);
  return text === "" ? picture : element("div", {}, picture, textElement(text, mentionAt));
}

/** The text of a body as its author wrote it: a message, or the caption of an image. */
export function sourceOf(body) {
  const text = typeof body === "string" ? body : isBytes(body?.image) ? body.text : "";
  return typeof text === "string" ? text : "";
}

/** A text that differs for different bodies, with the size in place of bytes. */
export const bodyMark = (body) => JSON.stringify(body, (_, it) => (isBytes(it) ? label(it) : it));

/** The size of a body as the server counts it: its JSON text, without the place of its bytes, and these. */
export function bodySize(body) {
  if (typeof body === "string") return size(JSON.stringify(body));
  return size(JSON.stringify({ ...body, image: 0 })) - 1 + body.image.byteLength;
}

/** The type of an image, from its first bytes. */
export function imageType(bytes) {
  const beginning = new Uint8Array(bytes);
  return IMAGES.find(([, matches]) => matches(beginning))?.[0];
}

const size = (text) => new TextEncoder().encode(text).length;
const isBytes = (it) => it instanceof ArrayBuffer;
const label = (bytes) => `[${bytes.byteLength} bytes]`;
const code = (text) => element("code", { dir: "auto" }, text);

function startsWith(bytes, at, ...wanted) {
  return wanted.every((it, i) => bytes[at + i] === it);
}
