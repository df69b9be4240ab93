// public/entries.js: entries in any order, and repeated entries, have the same result.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { fold, gapAfter, messageAt, messages, newLog } from "../../public/entries.js";

const AT = (seq) => `2026-01-01T00:00:00.${String(seq).padStart(3, "0")}Z`;

const sent = (seq, msg, more) => ({
  event: "new message",
  room: "r",
  seq,
  id: `m${seq}`,
  username: "ann",
  msg,
  at: AT(seq),
  ...more,
});
const edited = (seq, of, msg, more) => ({
  event: "message edited",
  room: "r",
  seq,
  of,
  id: `m${of}`,
  user: "ann",
  msg,
  at: AT(seq),
  ...more,
});
const topic = (seq) => ({
  event: "topic",
  room: "r",
  seq,
  id: `t${seq}`,
  user: "ann",
  topic: "Plans",
  at: AT(seq),
});
const deleted = (seq, of, user = "ann") => ({
  event: "message deleted",
  room: "r",
  seq,
  of,
  id: `m${of}`,
  user,
  at: AT(seq),
});

/** A log as live events, and the same log as history. */
const LIVE = [
  sent(1, "one"),
  sent(2, "two"),
  edited(3, 1, "one, edited"),
  edited(4, 1, "one, edited twice"),
  deleted(5, 2, "bob"),
  sent(6, "six"),
  edited(7, 6, "six, edited"),
  deleted(8, 6),
];
const HISTORY = [
  sent(1, "one, edited twice", { editedAt: AT(4) }),
  gone(sent(2)),
  followed(edited(3, 1)),
  edited(4, 1, "one, edited twice"),
  deleted(5, 2, "bob"),
  gone(sent(6)),
  followed(edited(7, 6)),
  deleted(8, 6),
];
const OUTCOME = [
  ["one, edited twice", AT(4), false, null],
  [null, null, true, "bob"],
  [null, null, true, "ann"],
];

describe("entries folded", () => {
  test("live", () => assert.deepEqual(outcome(LIVE), OUTCOME));
  test("from history", () => assert.deepEqual(outcome(HISTORY), OUTCOME));

  test("live and from history at once, in any order and twice", () => {
    const random = seededRandom(20);
    for (let round = 0; round < 500; round += 1) {
      const entries = shuffled([...LIVE, ...HISTORY, ...HISTORY], random);
      assert.deepEqual(outcome(entries), OUTCOME, `round ${round}`);
    }
  });

  test("an edit without its message waits for it", () => {
    const log = folded([edited(3, 1, "new"), sent(2, "two")]);
    assert.deepEqual(
      messages(log).map(({ body }) => body),
      ["two"],
    );
    fold(log, sent(1, "old"));
    assert.equal(messageAt(log, 1).body, "new");
  });

  test("history that is newer than an edit in flight takes precedence", () => {
    const log = folded([sent(1, "newest", { editedAt: AT(9) }), edited(2, 1, "older")]);
    assert.equal(messageAt(log, 1).body, "newest");
  });

  test("two edits within one millisecond are ordered by seq", () => {
    const at = AT(2);
    const log = folded([
      sent(1, "old"),
      edited(2, 1, "first", { at }),
      edited(3, 1, "second", { at }),
    ]);
    assert.equal(messageAt(log, 1).body, "second");
  });

  test("a repeated entry is not new, and a gap is detected", () => {
    const log = newLog();
    assert.equal(fold(log, sent(1, "one")), true);
    assert.equal(fold(log, sent(1, "one")), false);
    assert.equal(gapAfter(log), null);
    fold(log, deleted(4, 1));
    assert.equal(gapAfter(log), 1);
    assert.equal(fold(log, deleted(4, 1)), false);
    assert.equal(log.last, 4);
  });

  test("every kind of message has its author and its body in one form", () => {
    const base = { at: AT(1), user: "ann", data: { any: 1 }, id: "x" };
    const log = folded([
      sent(1, "text"),
      { ...base, event: "GroupChat", room: "r", seq: 2 },
      { ...base, event: "SingleChat", to: "bob", seq: 3 },
      { ...base, event: "notification", seq: 4 },
    ]);
    assert.ok(messages(log).every(({ author }) => author === "ann"));
    assert.deepEqual(
      messages(log).map(({ body }) => body),
      ["text", ...Array(3).fill({ any: 1 })],
    );
  });

  test("a topic has a place in the log, and is no message", () => {
    const log = folded([sent(1, "one"), sent(3, "three")]);
    assert.equal(gapAfter(log), 1);
    assert.equal(fold(log, topic(2)), true);
    assert.equal(fold(log, topic(2)), false);
    assert.equal(gapAfter(log), null);
    assert.deepEqual(
      messages(log).map(({ seq }) => seq),
      [1, 3],
    );
    assert.equal(messageAt(log, 2), null);
  });
});

function gone({ msg: _, ...entry }) {
  return { ...entry, deleted: true };
}

/** An edit that another change followed. */
function followed({ msg: _, ...entry }) {
  return entry;
}

function folded(entries) {
  const log = newLog();
  for (const entry of entries) fold(log, entry);
  return log;
}

const outcome = (entries) =>
  messages(folded(entries)).map((it) => [it.body, it.editedAt, it.deleted, it.deletedBy]);

/** A seeded random number generator from 0 to 1. */
function seededRandom(seed) {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

function shuffled(list, random) {
  const rest = [...list];
  return list.map(() => rest.splice(Math.floor(random() * rest.length), 1)[0]);
}
