// Refusals: every code that a request can get. docs/protocol.md "Codes".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertErrorEvent, assertOk, assertRefused } from "../support/assert.mjs";
import { barrier, joinAsGuest } from "../support/fixtures.mjs";
import { unique } from "../support/unique.mjs";

/** Requests with wrong keys, and what `details` says of them. */
const WRONG_KEYS = [
  [
    "send message",
    { message: "x" },
    { missing: ["msg"], unknown: ["message"], nearest: { message: "msg" } },
  ],
  ["send message", undefined, { missing: ["msg"] }],
  ["GroupChat", { dta: "x" }, { missing: ["data"], unknown: ["dta"], nearest: { dta: "data" } }],
  ["SingleChat", { data: "x" }, { missing: ["to"] }],
  ["SingleChat", {}, { missing: ["to", "data"] }],
  ["GroupList", { roomId: "x" }, { unknown: ["roomId"], nearest: { roomId: "room" } }],
  ["join", { name: "x" }, { unknown: ["name"] }],
  ["leave", { name: "x" }, { unknown: ["name"] }],
  ["history", { to: "x" }, { unknown: ["to"], nearest: { to: "with" } }],
  ["read", {}, { missing: ["seq"] }],
  ["read", "x", { missing: ["seq"] }],
  ["members", { limit: "3" }, { expected: { limit: "whole number" } }],
  ["members", "news", { known: ["room", "query", "cursor", "limit"] }],
  ["rooms", { query: 7, qurey: "x" }, { unknown: ["qurey"], expected: { query: "text" } }],
  ["mute", { mute: true }, { missing: ["muted"], unknown: ["mute"], nearest: { mute: "muted" } }],
  ["typing", { with: "x", typing: true }, { unknown: ["with"], nearest: { with: "to" } }],
  ["edit message", {}, { missing: ["seq", "msg"] }],
  ["delete message", { id: "x" }, { missing: ["seq"], unknown: ["id"] }],
  [
    "invite",
    { username: "x" },
    { missing: ["user"], unknown: ["username"], nearest: { username: "user" } },
  ],
  ["kick", { user: "x", role: "member" }, { unknown: ["role"] }],
  ["notify", { to: "x", data: 1, extra: 1 }, { unknown: ["extra"] }],
  [
    "presence",
    { user: "x" },
    { missing: ["users"], unknown: ["user"], nearest: { user: "users" } },
  ],
  ["auth", { jwt: "x" }, { missing: ["token"], unknown: ["jwt"] }],
  ["identify", {}, { missing: ["name"] }],
  [
    "new user",
    { nickname: "x" },
    { missing: ["name"], unknown: ["nickname"], nearest: { nickname: "name" } },
  ],
];

/** Requests of a user in a room, and the codes with which they are refused. */
const REFUSED = [
  ["send message", undefined, "bad_request"],
  ["send message", 5, "bad_request"],
  ["send message", ["text"], "bad_request"],
  ["send message", { msg: "x", room: 5 }, "bad_request"],
  ["send message", { msg: "x", id: 5 }, "bad_request"],
  ["send message", ["room", "text"], "bad_request"],
  ["send message", "", "message_empty"],
  ["send message", " \t\n ", "message_empty"],
  ["send message", {}, "bad_request"],
  ["send message", { msg: null }, "message_empty"],
  ["send message", { msg: "" }, "message_empty"],
  ["send message", { msg: "\u00a0\u3000" }, "message_empty"],
  ["send message", { msg: "x", room: "" }, "room_invalid"],
  ["send message", { msg: "x", room: "two\nlines" }, "room_invalid"],
  ["send message", { msg: "x", room: "x".repeat(65) }, "room_invalid"],
  ["send message", { msg: "x", room: "another" }, "not_member"],
  ["send message", { msg: "x", id: "" }, "id_invalid"],
  ["send message", { msg: "x", id: "two words" }, "id_invalid"],
  ["send message", { msg: "x", id: "ümlaut" }, "id_invalid"],
  ["send message", { msg: "x", id: "x".repeat(65) }, "id_invalid"],
  ["GroupChat", {}, "bad_request"],
  ["GroupChat", { data: null }, "message_empty"],
  ["GroupChat", "  ", "message_empty"],
  ["GroupChat", { data: "x", room: "another" }, "not_member"],
  ["GroupChat", { data: "x", id: "\u007f" }, "id_invalid"],
  ["SingleChat", "text", "bad_request"],
  ["SingleChat", { data: "x" }, "bad_request"],
  ["SingleChat", { to: 5, data: "x" }, "bad_request"],
  ["SingleChat", { to: "a name that no user has", data: "x" }, "no_such_user"],
  ["SingleChat", { to: "x".repeat(33), data: "x" }, "no_such_user"],
  ["SingleChat", ["ann", "x"], "bad_request"],
  ["GroupList", { room: 5 }, "bad_request"],
  ["GroupList", ["news"], "bad_request"],
  ["GroupList", { room: "two\nlines" }, "room_invalid"],
  ["GroupList", { room: "another" }, "not_member"],
  ["join", 5, "bad_request"],
  ["join", ["news"], "bad_request"],
  ["join", "", "room_invalid"],
  ["join", { room: "two\nlines" }, "room_invalid"],
  ["join", { room: "news", since: -1 }, "bad_request"],
  ["join", { room: "news", since: "1" }, "bad_request"],
  ["join", { room: "news", since: 1.5 }, "bad_request"],
  ["leave", 5, "bad_request"],
  ["leave", ["news"], "bad_request"],
  ["leave", "two\nlines", "room_invalid"],
  ["leave", "another", "not_member"],
  ["history", "text", "bad_request"],
  ["history", ["news"], "bad_request"],
  ["history", { before: "1" }, "bad_request"],
  ["history", { after: -1 }, "bad_request"],
  ["history", { before: 1, after: 1 }, "bad_request"],
  ["history", { limit: -1 }, "bad_request"],
  ["history", { room: "another" }, "not_member"],
  ["history", { limit: 0 }, "bad_request"],
  ["history", { room: "a", with: "b" }, "bad_request"],
  ["auth", undefined, "bad_request"],
  ["auth", { token: 5 }, "bad_request"],
  ["auth", { token: "nonsense" }, "unauthorized"],
  ["no such request", { a: 1 }, "unknown_event"],
  ["welcome", {}, "unknown_event"],
  ["__proto__", {}, "unknown_event"],
  ['q"uo\\te', { a: 1 }, "unknown_event"],
  ["bell \u0007", { a: 1 }, "unknown_event"],
  ["", { a: 1 }, "unknown_event"],
  ["x".repeat(10_000), { a: 1 }, "unknown_event"],
  ["new user", "other", "already_identified"],
  ["identify", { name: "other" }, "already_identified"],
  ["identify", "other", "bad_request"],
  ["new user", { name: "other", device: "two words" }, "id_invalid"],
];

export function refusals(clientType, server) {
  const all = REFUSED.filter(([, data]) => !clientType.asciiOnly || isAscii(data));

  test("an invalid request is refused with its code, without effect", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    for (const [event, data, code] of all) {
      assertRefused(await ann.ask(event, data), code, `${event} ${JSON.stringify(data)}`);
    }
    assert.equal((await barrier(ann, room, bob)).seq, 1);
    for (const event of ["new message", "GroupChat", "user left"]) {
      assert.deepEqual(bob.take(event), []);
    }
  });

  test("a refusal names the keys that are missing or unknown, and has no effect", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    for (const [event, data, details] of WRONG_KEYS) {
      const answer = await ann.ask(event, data);
      assertRefused(answer, "bad_request", `${event} ${JSON.stringify(data)}`);
      assert.deepEqual(answer.details, details, `${event} ${JSON.stringify(data)}`);
      const keys = [...(details.missing ?? []), ...(details.unknown ?? [])];
      for (const key of keys) assert.ok(answer.message.includes(`\`${key}\``), answer.message);
      ann.emit(event, data);
      const error = await ann.next("error message");
      assertErrorEvent(error, event, "bad_request");
      assert.deepEqual(error.details, details);
    }
    assert.equal((await barrier(ann, room, bob)).seq, 1);
    assert.deepEqual(
      assertOk(await ann.ask("presence", { users: [ann.name] })).users.map(({ online }) => online),
      [true],
    );
    assert.equal(ann.take("membership").length, 0, "no other room was joined");
  });

  test("without an acknowledgement the refusal is sent as `error message`", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    for (const [event, data] of all) ann.emit(event, data);
    const errors = await ann.collect("error message", all.length);
    errors.forEach((it, at) => {
      const [event, , code] = all[at];
      assertErrorEvent(it, event.slice(0, 64), code);
    });
    assertOk(await ann.ask("send message", "still here"));
  });

  test("an invalid `new user` is refused with `name_invalid` or `bad_request`", async (t) => {
    const anonymous = await clientType.connect(server);
    t.after(() => anonymous.close());
    for (const data of [undefined, 5, {}, { name: 5 }, ["ann"]]) {
      assertRefused(await anonymous.ask("new user", data), "bad_request");
    }
    assertRefused(await anonymous.ask("new user", ""), "name_invalid");
    assertRefused(await anonymous.ask("new user", { name: " " }), "name_invalid");
    anonymous.emit("new user", "");
    assertErrorEvent(await anonymous.next("error message"), "new user", "name_invalid");
  });
}

function isAscii(data) {
  return /^[\0-\x7f]*$/.test(JSON.stringify(data) ?? "");
}
