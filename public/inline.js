// Parses what may stand within a line of a message: emphasis, code, links and mentions.
//
// The result is an array of texts and of nodes `{kind, children}`, `{kind: "code", text}`,
// `{kind: "link", href, text}` and `{kind: "mention", text, isOwn}`. Each step takes bounded time, and
// nesting is bounded, so hostile text costs no more than any other of its length.

import { linkAt, namedLinkAt } from "./links.js";

const DEPTH_MAX = 8;
const MENTIONS_MAX = 50;

/** Longer runs of these characters are text. */
const RUN_MAX = 3;

const KINDS = { "*": "emphasis", "**": "strong", _: "emphasis", __: "strong", "~~": "strike" };
const ESCAPABLE = new Set("\\`*_~[]@>#-");
const WORD = /[\p{L}\p{N}]/u;

/** `mentionAt(text, at)` returns `{length, isOwn}` for a mention that begins at `at`, or null. */
export function parseInline(text, mentionAt = () => null) {
  const closingTicks = makeTickFinder(text);
  const out = [];
  const open = []; // emphasis that is not closed yet: {marker, at}, where `at` is its place in `out`
  let mentions = 0;

  /** Takes the special character at `at`; returns how many characters it took. */
  function take(at) {
    const letter = text[at];
    if (letter === "\\") return takeEscape(at);
    if (letter === "`") return takeCode(at);
    if (letter === "[") return takeNode(at, namedLinkAt(text, at));
    if (letter === "@") return takeNode(at, mention(at));
    if (letter in KINDS || letter === "~") return takeRun(at, letter);
    return takeNode(at, isWord(text[at - 1]) ? null : linkAt(text, at));
  }

  function takeEscape(at) {
    const isEscape = ESCAPABLE.has(text[at + 1]);
    out.push(isEscape ? text[at + 1] : "\\");
    return isEscape ? 2 : 1;
  }

  function takeCode(at) {
    const length = runLength(text, at);
    const end = closingTicks(length, at + length);
    if (end === undefined) {
      out.push("`".repeat(length));
      return length;
    }
    const code = text.slice(at + length, end);
    const isPadded = code.startsWith(" ") && code.endsWith(" ") && code.trim() !== "";
    out.push({ kind: "code", text: isPadded ? code.slice(1, -1) : code });
    return end + length - at;
  }

  function takeNode(at, found) {
    out.push(found?.node ?? text[at]);
    return found?.length ?? 1;
  }

  function mention(at) {
    if (isWord(text[at - 1]) || mentions === MENTIONS_MAX) return null;
    mentions += 1;
    const found = mentionAt(text, at);
    if (!found) return null;
    const { length, isOwn } = found;
    return { length, node: { kind: "mention", text: text.slice(at, at + length), isOwn } };
  }

  /** Opens and closes emphasis. Single characters within a word are text: `snake_case`, `2*3*4`. */
  function takeRun(at, letter) {
    const length = runLength(text, at);
    const [before, after] = [text[at - 1] ?? " ", text[at + length] ?? " "];
    const isStrict = letter === "_" || length === 1;
    const mayOpen = !isSpace(after) && !(isStrict && isWord(before));
    const mayClose = !isSpace(before) && !(isStrict && isWord(after));
    const isText = length > RUN_MAX || (letter === "~" && length !== 2);
    let left = length;
    while (left > 0 && !isText) {
      const inner = open.at(-1)?.marker;
      const isInner = inner?.startsWith(letter) && inner.length <= left;
      const whole = letter.repeat(Math.min(left, 2));
      const hasWhole = left <= 2 && open.some((it) => it.marker === whole);
      const marker = mayClose && isInner && !hasWhole ? inner : whole;
      const opener = mayClose ? open.findLastIndex((it) => it.marker === marker) : -1;
      if (opener >= 0) close(opener);
      else takeMarker(marker, mayOpen);
      left -= marker.length;
    }
    if (isText) out.push(letter.repeat(length));
    return length;
  }

  function takeMarker(marker, mayOpen) {
    if (mayOpen && open.length < DEPTH_MAX) open.push({ marker, at: out.length });
    out.push(marker);
  }

  function close(opener) {
    const { marker, at } = open[opener];
    open.length = opener;
    const children = joined(out.splice(at + 1));
    out[at] = { kind: KINDS[marker], children };
  }

  const special = /[\\`*_~[@]|https?:\/\/|www\.|mailto:/gi;
  for (let at = 0; at < text.length; ) {
    special.lastIndex = at;
    const next = special.exec(text)?.index ?? text.length;
    if (next > at) out.push(text.slice(at, next));
    at = next < text.length ? next + take(next) : next;
  }
  return joined(out);
}

/** Joins texts that follow each other. */
function joined(parts) {
  const result = [];
  for (const part of parts) {
    if (typeof part === "string" && typeof result.at(-1) === "string") {
      result[result.length - 1] += part;
    } else {
      result.push(part);
    }
  }
  return result;
}

/** Finds the next run of as many backticks; to be asked with growing positions. */
function makeTickFinder(text) {
  const runs = new Map();
  for (const { 0: ticks, index } of text.matchAll(/`+/g)) {
    if (!runs.has(ticks.length)) runs.set(ticks.length, []);
    runs.get(ticks.length).push(index);
  }
  for (const places of runs.values()) places.reverse();
  return (length, from) => {
    const places = runs.get(length) ?? [];
    while (places.length > 0 && places.at(-1) < from) places.pop();
    return places.at(-1);
  };
}

function runLength(text, at) {
  let end = at + 1;
  while (text[end] === text[at]) end += 1;
  return end - at;
}

const isWord = (letter) => letter !== undefined && WORD.test(letter);
const isSpace = (letter) => /\s/.test(letter);
