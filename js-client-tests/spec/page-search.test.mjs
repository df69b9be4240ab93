// public/fuzzy.js and public/switching.js: what the quick switcher offers, and in which order.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { best, score } from "../../public/fuzzy.js";
import { forgetNames, learn } from "../../public/names.js";
import { conversation, newState, roomKey } from "../../public/state.js";
import { choices } from "../../public/switching.js";

const NOTHING = { people: [], rooms: [] };

afterEach(forgetNames);

/** A state with rooms and direct conversations, `rooms[0]` open. */
function stateWith(rooms, directs = []) {
  const state = { ...newState(), user: "me", open: roomKey(rooms[0]) };
  for (const room of rooms) conversation(state, roomKey(room)).role = "member";
  for (const user of directs) conversation(state, `with:${user}`);
  return state;
}

const shown = (...args) => choices(...args).map(({ key, known }) => (known ? key : `+${key}`));

test("a better match has a higher score", () => {
  const order = ["deploy", "deployments", "the deploy room", "undeployed", "dev play"];
  const scores = order.map((name) => score("deploy", name));
  assert.deepEqual(scores, [5, 4, 3, 2, 0]);
  assert.deepEqual(
    best("dp", ["x", "deploy", "dp", "ad-p"], (it) => it),
    ["dp", "deploy", "ad-p"],
  );
});

test("case, accents and forms of the same letter do not matter", () => {
  for (const [query, name] of [
    ["ANN", "ann"],
    ["rene", "René"],
    ["ﬁle", "FILES"],
    ["Ａ", "a"],
    ["مكتب", "المكتب"],
  ]) {
    assert.ok(score(query, name) > 0, `${query} in ${name}`);
  }
  assert.equal(score("ba", "ab"), 0);
  assert.equal(score(" ", "anything"), 1);
});

test("without a query the last conversations come first, without the open one", () => {
  const state = stateWith(["lobby", "a", "b", "c"], ["ann"]);
  const recent = ["room:lobby", "room:c", "with:ann", "room:gone"];
  assert.deepEqual(shown(state, "", recent, NOTHING), ["room:c", "with:ann", "room:a", "room:b"]);
});

test("people without a conversation, and rooms that others know, can be found", () => {
  const state = stateWith(["lobby"]);
  state.conversations.get(roomKey("lobby")).users = ["ann", "me"];
  state.people.set("annabel", { online: false });
  const found = { people: ["anne"], rooms: ["annals", "lobby"] };
  assert.deepEqual(shown(state, "ann", [], found), [
    "with:ann",
    "with:annabel",
    "with:anne",
    "+room:annals",
    "+room:ann",
  ]);
});

test("# and @ restrict the choice, and a room of that name is not offered twice", () => {
  const state = stateWith(["lobby", "ann"], ["ann"]);
  assert.deepEqual(shown(state, "@ann", [], NOTHING), ["with:ann"]);
  assert.deepEqual(shown(state, "#ann", [], NOTHING), ["room:ann"]);
  assert.deepEqual(shown(state, "#new", [], NOTHING), ["+room:new"]);
});

test("display names are matched and shown", () => {
  learn({ user: "u-1", name: "Ann of Cleves" });
  const state = stateWith(["lobby"], ["u-1"]);
  const [first] = choices(state, "cleves", [], NOTHING);
  assert.deepEqual([first.key, first.shown], ["with:u-1", "Ann of Cleves"]);
});

test("a room that was left is not offered as a conversation", () => {
  const state = stateWith(["lobby", "old"]);
  state.conversations.get(roomKey("old")).role = null;
  assert.deepEqual(shown(state, "old", [], NOTHING), ["+room:old"]);
});
