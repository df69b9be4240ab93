// Identification by name or token. docs/protocol.md "Who you are".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRefused, assertSameNames } from "../support/assert.mjs";
import { barrier, connect, connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { epochSeconds, mintToken, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";

const INVALID_NAMES = [
  "",
  "   ",
  "x".repeat(33),
  "two\nlines",
  "nul\u0000",
  "\u202eturned",
  "a\u2028b",
  "tab\tbed",
];

/** `server` allows guests, and has a short grace period. */
export function identification(clientType, server) {
  test("a guest takes a name and receives `welcome`", async (t) => {
    const ann = await connect(t, clientType, server);
    const name = unique("ann");
    const answer = assertOk(await ann.ask("new user", name));
    assert.equal(answer.user, name);
    const welcome = await ann.next("welcome");
    assert.equal(welcome.user, name);
    assert.equal(typeof answer.token, "string");
    assert.equal(typeof welcome.token, "string");
    assert.equal(typeof welcome.connection, "string");
    assert.equal(typeof welcome.node, "string");
    assert.deepEqual(
      welcome.rooms.map(({ room }) => room),
      ["lobby"],
    );
    assert.equal(welcome.rooms[0].unread, 0);
    assert.ok(Number.isInteger(welcome.rooms[0].seq));
    assertSameNames(Object.keys(welcome.limits), [
      "attachmentsMax",
      "bodyBytesMax",
      "frameBytesMax",
      "historyMax",
      "roomsMax",
    ]);
  });

  test("a name may be a field of an object, and is trimmed", async (t) => {
    const ann = await connect(t, clientType, server);
    const name = unique(clientType.text("Ann Ü 李"));
    const answer = assertOk(await ann.ask("new user", { name: `  ${name} ` }));
    assert.equal(answer.user, name);
    assert.equal((await ann.next("welcome")).user, name);
  });

  test("`identify` is answered with one object, which has the token", async (t) => {
    const ann = await connect(t, clientType, server);
    const name = unique("ann");
    const { user, token } = assertOk(await ann.ask("identify", { name: ` ${name}`, device: "d" }));
    assert.equal(user, name);
    const welcome = await ann.next("welcome");
    assert.deepEqual([welcome.user, welcome.token, welcome.returning], [name, token, false]);
    assertRefused(await ann.ask("identify", { name }), "already_identified");
    const other = await connect(t, clientType, server);
    assertRefused(await other.ask("identify", { name }), "name_taken");
    assertRefused(await other.ask("identify", { name: " " }), "name_invalid");
    const { details, ...refusal } = await other.ask("identify", { nam: name });
    assertRefused(refusal, "bad_request");
    assert.deepEqual(details, { missing: ["name"], unknown: ["nam"], nearest: { nam: "name" } });
    other.emit("identify", { name });
    assert.equal((await other.next("error message")).code, "name_taken");
  });

  test("an invalid name is refused, and another one may be tried", async (t) => {
    const ann = await connect(t, clientType, server);
    for (const name of INVALID_NAMES)
      assertRefused(await ann.ask("new user", name), "name_invalid");
    assertOk(await ann.ask("new user", unique("x".repeat(23))));
  });

  test("a name that is online is refused", async (t) => {
    const ann = await joinAsGuest(t, clientType, server, "ann");
    const other = await connect(t, clientType, server);
    assertRefused(await other.ask("new user", ann.name), "name_taken");
    assertRefused(await other.ask("new user", `  ${ann.name}`), "name_taken");
    assertOk(await other.ask("new user", unique("other")));
  });

  test("a name is free again when its user has left", async (t) => {
    const room = unique("room");
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    ann.close();
    await bob.next("user left", ({ user }) => user === ann.name);
    const other = await connect(t, clientType, server);
    assertOk(await other.ask("new user", ann.name));
  });

  test("a connection cannot change its name", async (t) => {
    const ann = await joinAsGuest(t, clientType, server, "ann");
    assertRefused(await ann.ask("new user", unique("other")), "already_identified");
  });

  test("requests of an unidentified connection are refused", async (t) => {
    const anonymous = await connect(t, clientType, server);
    const requests = {
      "send message": "hello",
      GroupChat: "hello",
      SingleChat: { to: "ann", data: "hello" },
      GroupList: {},
      join: "news",
      leave: "lobby",
      history: {},
      read: { seq: 1 },
      mute: { muted: true },
      typing: { typing: true },
      "edit message": { seq: 1, msg: "hello" },
      "delete message": { seq: 1 },
      invite: { user: "ann" },
      kick: { user: "ann" },
      notify: { to: "ann", data: "hello" },
      presence: { users: ["ann"] },
    };
    for (const [event, data] of Object.entries(requests)) {
      assertRefused(await anonymous.ask(event, data), "not_identified");
    }
  });

  test("the token of the acknowledgement identifies the same user", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const again = await connectWithToken(t, clientType, server, ann.token, { room });
    assert.equal(again.name, ann.name);
    assert.notEqual(again.welcome.connection, ann.welcome.connection);
    assertRefused(await again.ask("new user", unique("other")), "already_identified");
    await barrier(again, room, ann);
  });

  test("so does the token of `welcome`", async (t) => {
    const ann = await joinAsGuest(t, clientType, server, "ann");
    const again = await connectWithToken(t, clientType, server, ann.welcome.token);
    assert.equal(again.name, ann.name);
  });

  test("a token of `roomcast token` identifies its user", async (t) => {
    const name = unique("carol");
    const carol = await connectWithToken(t, clientType, server, await mintToken(server, name));
    assert.equal(carol.name, name);
  });

  test("an invalid token is refused, never ignored", async () => {
    for (const token of ["nonsense", await signToken(server, { sub: unique("eve") })]) {
      assert.equal(await clientType.refusal(server, { token }), "unauthorized", token);
    }
  });

  test("an expired token is refused with its own code", async () => {
    const token = await signToken(server, { sub: unique("ann"), exp: epochSeconds(-600) });
    assert.equal(await clientType.refusal(server, { token }), "token_expired");
  });
}
