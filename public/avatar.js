// Avatars: the first letter of a name, on a colour that depends only on the name.

import { element, setText } from "./dom.js";

const TONES = 8;

/** A small avatar with a presence indicator. */
export function faceElement(name) {
  const avatar = element("span");
  drawAvatar(avatar, name);
  const face = element("span", { className: "face" }, avatar, element("span"));
  face.setAttribute("aria-hidden", "true");
  return face;
}

export function drawPresence(face, online) {
  face.lastChild.className = online ? "presence online" : "presence";
}

export function drawAvatar(node, name) {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 65_521;
  node.className = `avatar tone-${sum % TONES}`;
  setText(node, [...name][0]?.toUpperCase() ?? "");
}
