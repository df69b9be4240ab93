// Parses the text of a message into blocks: paragraphs, code, quotes and lists. No DOM.
//
// A block is `{kind: "paragraph", children}`, `{kind: "code", text}`, `{kind: "quote", blocks}` or
// `{kind: "list", start, items}`, where `start` is the first number, or null, and an item is
// `{children, blocks}`. Line breaks of a paragraph stay in its texts. See inline.js for `children`.

import { parseInline } from "./inline.js";

const DEPTH_MAX = 4;

const FENCE = /^(`{3,}|~{3,})([^\s`~]*)$/;
const QUOTE = /^ {0,3}> ?(.*)$/;
const ITEM = /^( {0,12})([-*]|\d{1,9}[.)])[ \t]+(\S.*)$/;
const CONTINUED = /^ {2,}\S/;

export const parse = (text, mentionAt) => blocks(text.split("\n"), 0, mentionAt);

function blocks(lines, depth, mentionAt) {
  const found = [];
  for (let at = 0; at < lines.length; ) {
    const kind = kindOf(lines[at], depth);
    const end = endOf(kind, lines, at, depth);
    if (kind !== "blank") found.push(make[kind](lines.slice(at, end), depth, mentionAt));
    at = end;
  }
  return found;
}

function kindOf(line, depth) {
  const trimmed = line.trim();
  if (trimmed === "") return "blank";
  if (FENCE.test(trimmed)) return "code";
  if (depth < DEPTH_MAX && QUOTE.test(line)) return "quote";
  if (depth < DEPTH_MAX && ITEM.test(line)) return "list";
  return "paragraph";
}

/** The line after the block that begins at `at`. */
function endOf(kind, lines, at, depth) {
  const continues = {
    blank: (line) => line.trim() === "",
    code: isInside(lines[at]),
    quote: (line) => QUOTE.test(line),
    list: isOfList(lines[at]),
    paragraph: (line) => kindOf(line, depth) === "paragraph",
  }[kind];
  let end = at + 1;
  while (end < lines.length && continues(lines[end])) end += 1;
  return kind === "code" ? Math.min(end + 1, lines.length) : end;
}

/** Whether a line is still inside of the code that `opening` begins. */
function isInside(opening) {
  const [, fence = ""] = FENCE.exec(opening.trim()) ?? [];
  return (line) => {
    const trimmed = line.trim();
    return trimmed.length < fence.length || trimmed !== fence[0].repeat(trimmed.length);
  };
}

/** Whether a line belongs to the list that `first` begins: bullets and numbers are two lists. */
function isOfList(first) {
  const [, indent = "", sign] = ITEM.exec(first) ?? [];
  return (line) => {
    const item = ITEM.exec(line);
    if (!item) return CONTINUED.test(line);
    return item[1].length > indent.length + 1 || isNumber(item[2]) === isNumber(sign);
  };
}

const isNumber = (sign) => /\d/.test(sign);

const make = {
  paragraph: (lines, _, mentionAt) => ({
    kind: "paragraph",
    children: parseInline(lines.join("\n"), mentionAt),
  }),

  code([opening, ...lines]) {
    const isClosed = lines.length > 0 && !isInside(opening)(lines.at(-1));
    return { kind: "code", text: (isClosed ? lines.slice(0, -1) : lines).join("\n") };
  },

  quote: (lines, depth, mentionAt) => ({
    kind: "quote",
    blocks: blocks(
      lines.map((line) => QUOTE.exec(line)[1]),
      depth + 1,
      mentionAt,
    ),
  }),

  /** Lines that are indented further than the first item belong to the item before them. */
  list(lines, depth, mentionAt) {
    const [, { length: indent }, sign] = ITEM.exec(lines[0]);
    const items = [];
    for (const line of lines) {
      const item = ITEM.exec(line);
      if (item && (item[1].length <= indent + 1 || items.length === 0)) {
        items.push({ lines: [item[3]], inner: [] });
      } else if (item || items.at(-1).inner.length > 0) {
        items.at(-1).inner.push(line);
      } else {
        items.at(-1).lines.push(line.trim());
      }
    }
    return {
      kind: "list",
      start: isNumber(sign) ? Number.parseInt(sign, 10) : null,
      items: items.map(({ lines: own, inner }) => ({
        children: parseInline(own.join("\n"), mentionAt),
        blocks: blocks(inner, depth + 1, mentionAt),
      })),
    };
  },
};
