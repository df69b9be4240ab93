// public/address.js, kept.js, mentions.js and desktop.js: addresses, drafts, and what is told.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { addressOf, placeAt } from "../../public/address.js";
import { newsOf } from "../../public/desktop.js";
import { fold } from "../../public/events.js";
import { makeKept } from "../../public/kept.js";
import { mentions } from "../../public/mentions.js";
import { conversation, newState, openConversation } from "../../public/state.js";

const stored = new Map();
globalThis.window = {
  localStorage: {
    getItem: (key) => stored.get(key) ?? null,
    setItem: (key, text) => stored.set(key, text),
    removeItem: (key) => stored.delete(key),
  },
};

beforeEach(() => stored.clear());

/** The state of a user in these rooms. */
function stateOf(user, ...rooms) {
  const state = { ...newState(), user };
  for (const room of rooms) conversation(state, `room:${room}`).role = "member";
  return state;
}

test("every name has an address, and the address leads back", () => {
  for (const name of ["lobby", "a/b", "100 %", "#général 😀", "who?", "مكتب", ".."]) {
    for (const key of [`room:${name}`, `with:${name}`]) {
      assert.deepEqual(placeAt(addressOf(key)), { key });
      assert.deepEqual(placeAt(addressOf(key, 41)), { key, seq: 41 });
    }
  }
});

test("other fragments lead nowhere", () => {
  for (const hash of [
    "",
    "#",
    "#lobby",
    "#/room/",
    "#/room/%20",
    "#/room/%E0%A4",
    "#/inbox/x",
    "#/room/a/0",
    "#/room/a/-1",
    "#/room/a/1/2",
    "#/room/a/9999999999999999",
    `#/room/${"x".repeat(65)}`,
  ]) {
    assert.equal(placeAt(hash), null, hash);
  }
});

test("drafts survive the tab, of its own user, until they sign out", () => {
  const state = stateOf("ann", "lobby", "news");
  const kept = makeKept();
  kept.restore(state);
  conversation(state, "room:lobby").draft = "half a thought";
  conversation(state, "with:bob");
  kept.restore(state);
  conversation(state, "with:bob").draft = "dear bob";
  kept.save(state);

  const later = stateOf("ann", "lobby");
  makeKept().restore(later);
  const drafts = [...later.conversations.values()].map(({ key, draft }) => [key, draft]);
  assert.deepEqual(drafts, [
    ["room:lobby", "half a thought"],
    ["with:bob", "dear bob"],
  ]);

  const other = stateOf("carol", "lobby");
  makeKept().restore(other);
  assert.equal(conversation(other, "room:lobby").draft, "");
  assert.equal(stored.size, 0, "the drafts of another user stay");

  kept.restore(state);
  kept.save(state);
  kept.forget();
  assert.equal(stored.size, 0);
});

test("a tab changes only its own drafts, and a closed conversation has none", () => {
  const [one, two] = [stateOf("ann", "a", "b"), stateOf("ann", "a", "b")];
  const [first, second] = [makeKept(), makeKept()];
  first.restore(one);
  second.restore(two);
  conversation(one, "room:a").draft = "in a";
  first.save(one);
  conversation(two, "room:b").draft = "in b";
  second.save(two);
  first.save(one);
  const drafts = () => JSON.parse(stored.get("roomcast-kept")).drafts;
  assert.deepEqual(drafts(), { "room:a": "in a", "room:b": "in b" });
  one.conversations.delete("room:a");
  first.save(one);
  assert.deepEqual(drafts(), { "room:b": "in b" });
});

test("what is kept is bounded, and anything that is stored is survived", () => {
  const state = stateOf("ann");
  const kept = makeKept();
  for (let n = 0; n < 60; n += 1) {
    conversation(state, `room:${n}`);
    kept.restore(state);
    conversation(state, `room:${n}`).draft = n === 59 ? "x".repeat(30_000) : "x";
    kept.save(state);
    kept.opened(`room:${n}`);
  }
  const { drafts, recent } = JSON.parse(stored.get("roomcast-kept"));
  assert.equal(Object.keys(drafts).length, 50);
  assert.equal(drafts["room:59"].length, 20_000);
  assert.deepEqual([recent.length, recent[0]], [30, "room:59"]);
  for (const text of ["", "{", "null", "7", '{"user":"ann","drafts":7,"recent":{}}']) {
    stored.set("roomcast-kept", text);
    const again = stateOf("ann", "lobby");
    makeKept().restore(again);
    assert.equal(conversation(again, "room:lobby").draft, "", text);
  }
});

test("mentions are whole names", () => {
  const names = ["ann", "Ann of Cleves"];
  for (const text of ["@ann", "hi @ANN!", "(@ann)", "@ann's", "@ann. And", "so @Ann of Cleves?"]) {
    assert.ok(mentions(text, names), text);
  }
  for (const text of ["ann", "@anna", "me@ann.example", "@ann-marie", "@ann_2", "@ an", ""]) {
    assert.ok(!mentions(text, names), text);
  }
});

test("direct messages, mentions and the inbox are told, and nothing else", () => {
  const state = stateOf("ann", "lobby", "quiet");
  conversation(state, "room:quiet").muted = true;
  conversation(state, "with:bob");
  const told = (event, data) => newsOf(state, event, { seq: 1, ...data });
  const said = { room: "lobby", username: "bob" };
  assert.deepEqual(told("new message", { ...said, msg: "well,\n@ann" }), {
    key: "room:lobby",
    seq: 1,
    title: "bob in lobby",
    body: "well, @ann",
  });
  const direct = { to: "ann", user: "bob", data: { image: new ArrayBuffer(1) } };
  assert.deepEqual(told("SingleChat", direct), {
    key: "with:bob",
    seq: 1,
    title: "bob",
    body: "Image",
  });
  const notified = told("notification", { user: "shop", data: { text: "a parcel" } });
  assert.deepEqual([notified.key, notified.body], ["inbox:", "a parcel"]);
  assert.equal(told("new message", { ...said, msg: `${"x".repeat(500)} @ann` }).body.length, 201);
  for (const [event, data] of [
    ["new message", { ...said, msg: "hello" }],
    ["new message", { ...said, username: "ann", msg: "@ann" }],
    ["new message", { ...said, room: "quiet", msg: "@ann" }],
    ["new message", { ...said, room: "left", msg: "@ann" }],
    ["SingleChat", { to: "bob", user: "ann", data: "from another device" }],
    ["message edited", { ...said, user: "bob", msg: "@ann" }],
    ["typing", { room: "lobby", user: "bob", typing: true }],
  ]) {
    assert.equal(told(event, data), null, `${event} ${JSON.stringify(data)}`);
  }
});

test("a window before the end gets no entry from the end, and counts it", () => {
  const state = stateOf("ann", "lobby");
  const talk = conversation(state, "room:lobby");
  const said = (seq) => ({ room: "lobby", seq, id: `m${seq}`, username: "bob", msg: "x", at: "" });
  for (const seq of [1, 2]) fold(state, "new message", said(seq));
  Object.assign(talk, { loaded: true, newer: true });
  fold(state, "new message", said(9));
  assert.deepEqual([talk.entries.length, talk.last, talk.unread], [2, 9, 3]);
  openConversation(state, "room:other");
  assert.deepEqual([talk.loaded, talk.newer, talk.entries.length], [false, false, 0]);
});
