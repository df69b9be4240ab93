// public/markdown.js: the formatting of messages, and hostile texts.

import assert from "node:assert/strict";
import { test } from "node:test";

import { parse } from "../../public/markdown.js";
import { makeMentionFinder } from "../../public/mentions.js";

const strong = (...children) => ({ kind: "strong", children });
const emphasis = (...children) => ({ kind: "emphasis", children });
const strike = (...children) => ({ kind: "strike", children });
const code = (text) => ({ kind: "code", text });
const link = (text, href = text) => ({ kind: "link", href, text });

/** Each row: a line, and its parts. */
const LINES = [
  ["plain", ["plain"]],
  ["a **b** c", ["a ", strong("b"), " c"]],
  ["a *b* _c_", ["a ", emphasis("b"), " ", emphasis("c")]],
  ["~~gone~~ ~5 minutes", [strike("gone"), " ~5 minutes"]],
  ["***both***", [strong(emphasis("both"))]],
  ["*a **b***", [emphasis("a ", strong("b"))]],
  ["**a *b** c*", [strong("a *b"), " c*"]],
  ["2 * 3 * 4, 2*3*4, snake_case_name", ["2 * 3 * 4, 2*3*4, snake_case_name"]],
  ["**not closed", ["**not closed"]],
  ["**** ____", ["**** ____"]],
  ["\\*not this\\* C:\\new", ["*not this* C:\\new"]],
  ["`*a*` ``b ` c``", [code("*a*"), " ", code("b ` c")]],
  ["`not closed", ["`not closed"]],
  ["see https://a.example/b?c=1#d.", ["see ", link("https://a.example/b?c=1#d"), "."]],
  ["(https://a.example/b_(c))", ["(", link("https://a.example/b_(c)"), ")"]],
  ["**https://a.example/**", [strong(link("https://a.example/"))]],
  ["https://a.example/b_c_d", [link("https://a.example/b_c_d")]],
  ["www.a.example", [link("www.a.example", "https://www.a.example/")]],
  ["mailto:a@b.example", [link("mailto:a@b.example")]],
  ["[here](https://a.example/)", [link("here", "https://a.example/")]],
  ["[a.example](https://a.example/)", ["[a.example](", link("https://a.example/"), ")"]],
  ["https://", ["https://"]],
  ["javascript:alert(1) data:text/html,x", ["javascript:alert(1) data:text/html,x"]],
  ["[x](javascript:alert(1))", ["[x](javascript:alert(1))"]],
  ["[x](javascript:y) [x](data:y)", ["[x](javascript:y) [x](data:y)"]],
  ["<b>x</b> &amp; <https://a.example/>", ["<b>x</b> &amp; <", link("https://a.example/"), ">"]],
];

const paragraph = (...children) => ({ kind: "paragraph", children });
const item = (text, ...blocks) => ({ children: [text], blocks });

/** Each row: a text of several lines, and its blocks. */
const TEXTS = [
  ["one\ntwo\n\nthree", [paragraph("one\ntwo"), paragraph("three")]],
  ["> a\n> b\nc", [{ kind: "quote", blocks: [paragraph("a\nb")] }, paragraph("c")]],
  ["```js\n*a*\n\n> b\n```\nc", [code("*a*\n\n> b"), paragraph("c")]],
  ["```\nnot closed", [code("not closed")]],
  [
    "- a\n- b\n  - c\n1. d",
    [
      {
        kind: "list",
        start: null,
        items: [item("a"), item("b", { kind: "list", start: null, items: [item("c")] })],
      },
      { kind: "list", start: 1, items: [item("d")] },
    ],
  ],
  ["3. c\n   more\n4. d", [{ kind: "list", start: 3, items: [item("c\nmore"), item("d")] }]],
  ["-5 degrees\n-", [paragraph("-5 degrees\n-")]],
];

test("the parts of a line", () => {
  for (const [text, parts] of LINES) assert.deepEqual(parse(text), [paragraph(...parts)], text);
});

test("the blocks of a text", () => {
  for (const [text, blocks] of TEXTS) assert.deepEqual(parse(text), blocks, text);
});

test("mentions of known names, the longest first, one's own apart", () => {
  const find = makeMentionFinder(["Ann", "Ann Lee", "bob"], ["me"]);
  const mention = (text, isOwn) => ({ kind: "mention", text, isOwn });
  const parts = (text) => parse(text, find)[0].children;
  assert.deepEqual(parts("@ann lee, @Ann!"), [
    mention("@ann lee", false),
    ", ",
    mention("@Ann", false),
    "!",
  ]);
  assert.deepEqual(parts("**@me**"), [strong(mention("@me", true))]);
  const none = "@bobby x@bob.example @nobody";
  assert.deepEqual(parts(none), [none]);
});

/** How deeply nodes are nested. */
function depthOf(node) {
  const { children = [], blocks = [], items = [] } = node;
  return 1 + Math.max(0, ...[...children, ...blocks, ...items].map(depthOf));
}

test("hostile texts of 64 KiB take linear time, and nest only so deep", () => {
  const units = [
    ..."*_~`[@>\\\n(",
    ...["**a", "*a _b ", "*a **b _c __d ~~e ", "[a](", "[a](http://x", "http://", "http://["],
    ...["http://x/)", "www.", "mailto:a@", "@a ", "`a``b```", "```\n~~~\n", "> ", "> > > > > a\n"],
    ...["- ", "- a\n  ", " - a\n", "1. a\n- b\n", "**a*b**c*", " ", "` a"],
  ];
  const length = 65_536;
  const texts = [
    ...units.map((unit) => unit.repeat(Math.ceil(length / unit.length)).slice(0, length)),
    `\`\`\`${"x".repeat(length / 2)}${"\n".repeat(length / 2)}`,
    `\`\`\`${" ".repeat(length)}x y`,
    `\` ${"a".repeat(length)}\``,
    "*a _b ".repeat(500) + "c_ d* ".repeat(500),
    Array.from({ length: 5_000 }, (_, n) => `${" ".repeat(n % 13)}- x`).join("\n"),
  ];
  for (const text of texts) {
    const start = performance.now();
    const blocks = parse(text, makeMentionFinder(["someone"], []));
    const ms = performance.now() - start;
    // A quadratic step would take a minute; a busy machine needs a tenth of a second.
    assert.ok(ms < 2_000, `${JSON.stringify(text.slice(0, 20))} took ${ms} ms`);
    const depth = Math.max(0, ...blocks.slice(0, 100).map(depthOf));
    assert.ok(depth < 40, `${JSON.stringify(text.slice(0, 20))} nests ${depth} deep`);
  }
});
