// Shows a message's body: text, an image, bytes, or any other JSON.

import { element } from "./dom.js";

const IMAGES = [
  ["image/png", (it) => startsWith(it, 0, 0x89, 0x50, 0x4e, 0x47)],
  ["image/jpeg", (it) => startsWith(it, 0, 0xff, 0xd8, 0xff)],
  ["image/gif", (it) => startsWith(it, 0, 0x47, 0x49, 0x46, 0x38)],
  ["image/webp", (it) => startsWith(it, 0, 0x52, 0x49, 0x46, 0x46)
    && startsWith(it, 8, 0x57, 0x45, 0x42, 0x50)],
];

export function bodyElement(body) {
  if (typeof body === "string") return element("p", { className: "text", dir: "auto" }, body);
  if (!isBytes(body)) return code(JSON.stringify(body, (_, it) => (isBytes(it) ? label(it) : it)));
  const type = imageType(new Uint8Array(body));
  return type ? image(body, type) : code(label(body));
}

const isBytes = (it) => it instanceof ArrayBuffer;
const label = (bytes) => `[${bytes.byteLength} bytes]`;
const code = (text) => element("code", {}, text);

function imageType(bytes) {
  return IMAGES.find(([, matches]) => matches(bytes))?.[0];
}

function startsWith(bytes, at, ...wanted) {
  return wanted.every((it, i) => bytes[at + i] === it);
}

function image(bytes, type) {
  const src = URL.createObjectURL(new Blob([bytes], { type }));
  const shown = element("img", { src, alt: `Image, ${bytes.byteLength} bytes` });
  shown.onload = () => URL.revokeObjectURL(src);
  shown.onerror = () => {
    URL.revokeObjectURL(src);
    shown.replaceWith(code(label(bytes)));
  };
  return shown;
}
