// Shows the text of a message: nodes of what markdown.js has parsed, never markup of its author.

import { element } from "./dom.js";
import { parse } from "./markdown.js";

const TAGS = { emphasis: "em", strong: "strong", strike: "s" };

/** `mentionAt` is described in mentions.js. */
export function textElement(text, mentionAt) {
  const blocks = parse(text, mentionAt);
  if (blocks.length === 1 && blocks[0].kind === "paragraph") {
    return paragraph(blocks[0], "text");
  }
  return element("div", { className: "text" }, ...blocks.map(blockElement));
}

function blockElement(block) {
  switch (block.kind) {
    case "code":
      return element("pre", { dir: "ltr" }, element("code", {}, block.text));
    case "quote":
      return element("blockquote", {}, ...block.blocks.map(blockElement));
    case "list":
      return listElement(block);
    default:
      return paragraph(block);
  }
}

function listElement({ start, items }) {
  const rows = items.map(({ children, blocks }) =>
    element("li", { dir: "auto" }, ...children.map(inlineElement), ...blocks.map(blockElement)),
  );
  return start === null ? element("ul", {}, ...rows) : element("ol", { start }, ...rows);
}

const paragraph = ({ children }, className = "") =>
  element("p", { className, dir: "auto" }, ...children.map(inlineElement));

function inlineElement(node) {
  if (typeof node === "string") return node;
  const { kind, text, href, isOwn, children } = node;
  switch (kind) {
    case "code":
      return element("code", {}, text);
    case "link": {
      const properties = { href, target: "_blank", rel: "noopener noreferrer nofollow" };
      return element("a", { ...properties, title: text === href ? "" : href }, text);
    }
    case "mention":
      return element("bdi", { className: isOwn ? "mention own-mention" : "mention" }, text);
    default:
      return element(TAGS[kind], {}, ...children.map(inlineElement));
  }
}
