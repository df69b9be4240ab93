// Replays the examples of docs/protocol.md, and checks that every request, event and code has one.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { API_SETTINGS } from "../support/api.mjs";
import { CODES, EVENTS, PROTOCOL, REQUESTS, section } from "../support/protocol-doc.mjs";
import { matches, parseExample, replayExample } from "../support/protocol-examples.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SECRET } from "../support/tokens.mjs";

/** What the README or only the suites show. */
const SHOWN_IN_OTHER_PLACES = {
  requests: ["new user", "identify", "GroupChat", "GroupList", "auth"],
  events: [
    "auth expiring",
    "get users",
    "GroupChat",
    "SingleChat",
    "presence",
    "clock",
    "closing",
    "error message",
  ],
  codes: [
    "bad_request",
    "unsupported_encoding",
    "unauthorized",
    "token_expired",
    "token_revoked",
    "banned",
    "too_many_denials",
    "token_required",
    "other_user",
    "unknown_space",
    "space_forbidden",
    "origin_forbidden",
    "not_identified",
    "already_identified",
    "name_invalid",
    "name_taken",
    "room_invalid",
    "too_many_rooms",
    "message_empty",
    "message_too_large",
    "too_many_attachments",
    "id_invalid",
    "conflict",
    "no_such_room",
    "refused",
    "too_fast",
    "unavailable",
    "draining",
    "internal",
  ],
};

const server = serverForThisFile({
  settings: {
    ...API_SETTINGS,
    spaces: ["/example-*"],
    "token.secret": SECRET,
    "rooms.private": ["board"],
    "rooms.read_only": ["news"],
    events: [
      { name: "move", to: "room", room_field: "game", id_field: "id", kept: true },
      { name: "ring", to: "user", to_field: "user" },
      { name: "draw*", to: "others" },
    ],
  },
});

const examples = [...section("Examples").matchAll(/^### (.*)\n\n```roomcast\n([\s\S]*?)```/gm)].map(
  ([, title, text]) => ({ title, lines: parseExample(text) }),
);

describe("an example", () => {
  for (const [number, { title, lines }] of examples.entries()) {
    test(title, (t) => replayExample(t, server, `/example-${number + 1}`, lines));
  }
});

test("every example of docs/protocol.md is replayed", () => {
  assert.equal(examples.length, PROTOCOL.match(/^```roomcast$/gm).length);
});

test("every request, event and code has an example", () => {
  const frames = (action) =>
    examples.flatMap(({ lines }) => lines.filter((it) => it.action === action));
  const names = (action) => frames(action).map(({ frame }) => frame.event);
  const codes = frames("receives").map(({ frame }) => frame.code);
  const lacking = {
    requests: without(REQUESTS, names("sends"), SHOWN_IN_OTHER_PLACES.requests),
    events: without(EVENTS, names("receives"), SHOWN_IN_OTHER_PLACES.events),
    codes: without(CODES, codes, SHOWN_IN_OTHER_PLACES.codes),
  };
  assert.deepEqual(lacking, { requests: [], events: [], codes: [] });
});

test("a frame that differs from the example does not match", () => {
  const expected = { event: "x", data: { a: "…", list: ["…", { b: 1 }] } };
  const like = (data) => matches(expected, { event: "x", data });
  assert.ok(like({ a: null, list: [{ c: 2 }, { b: 1 }] }));
  assert.ok(like({ a: 7, list: [{ b: 1 }] }));
  assert.ok(!like({ a: 7, list: [{ b: 2 }] }));
  assert.ok(!like({ a: 7, list: [{ b: 1 }], more: true }), "a key too many");
  assert.ok(!like({ list: [{ b: 1 }] }), "a key too few");
  assert.ok(!matches([1], [1, 2]) && !matches({}, []) && !matches({}, null));
});

const without = (all, ...lists) => all.filter((it) => !lists.some((list) => list.includes(it)));
