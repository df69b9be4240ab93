// Who you are: names, tokens, and the door. docs/protocol.md "Who you are".

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, refused, sameNames } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { arrive, comeBack, enter, fence } from "../support/people.mjs";
import { epoch, minted, signed } from "../support/tokens.mjs";

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

/** `server` takes guests, and its users leave without a long grace. */
export function identifying(way, server) {
  test("a guest takes a name and is welcomed", async (t) => {
    const ann = await arrive(t, way, server);
    const name = unique("ann");
    const answer = accepted(await ann.ask("new user", name));
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
    sameNames(Object.keys(welcome.limits), [
      "attachmentsMax",
      "bodyBytesMax",
      "frameBytesMax",
      "historyMax",
      "roomsMax",
    ]);
  });

  test("a name may come in an object, and is trimmed", async (t) => {
    const ann = await arrive(t, way, server);
    const name = unique(way.text("Ann Ü 李"));
    const answer = accepted(await ann.ask("new user", { name: `  ${name} ` }));
    assert.equal(answer.user, name);
    assert.equal((await ann.next("welcome")).user, name);
  });

  test("a name that is not one is refused, and another one may be tried", async (t) => {
    const ann = await arrive(t, way, server);
    for (const name of INVALID_NAMES) refused(await ann.ask("new user", name), "name_invalid");
    accepted(await ann.ask("new user", unique("x".repeat(23))));
  });

  test("the name of somebody online is refused", async (t) => {
    const ann = await enter(t, way, server, "ann");
    const other = await arrive(t, way, server);
    refused(await other.ask("new user", ann.name), "name_taken");
    refused(await other.ask("new user", `  ${ann.name}`), "name_taken");
    accepted(await other.ask("new user", unique("other")));
  });

  test("a name is free again when its user has left", async (t) => {
    const room = unique("room");
    const bob = await enter(t, way, server, "bob", { room });
    const ann = await enter(t, way, server, "ann", { room });
    ann.close();
    await bob.next("user left", ({ user }) => user === ann.name);
    const other = await arrive(t, way, server);
    accepted(await other.ask("new user", ann.name));
  });

  test("a connection has one name for good", async (t) => {
    const ann = await enter(t, way, server, "ann");
    refused(await ann.ask("new user", unique("other")), "already_identified");
  });

  test("nothing is done for a connection without a name", async (t) => {
    const nobody = await arrive(t, way, server);
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
      refused(await nobody.ask(event, data), "not_identified");
    }
  });

  test("the token from the answer brings the same user back", async (t) => {
    const room = unique("room");
    const ann = await enter(t, way, server, "ann", { room });
    const again = await comeBack(t, way, server, ann.token, { room });
    assert.equal(again.name, ann.name);
    assert.notEqual(again.welcome.connection, ann.welcome.connection);
    refused(await again.ask("new user", unique("other")), "already_identified");
    await fence(again, room, ann);
  });

  test("the token from the welcome is as good", async (t) => {
    const ann = await enter(t, way, server, "ann");
    const again = await comeBack(t, way, server, ann.welcome.token);
    assert.equal(again.name, ann.name);
  });

  test("a token made by the command names its user", async (t) => {
    const name = unique("carol");
    const carol = await comeBack(t, way, server, await minted(server, name));
    assert.equal(carol.name, name);
  });

  test("a bad token is refused, never ignored", async () => {
    for (const token of ["nonsense", await signed(server, { sub: unique("eve") })]) {
      assert.equal(await way.refusal(server, { token }), "unauthorized", token);
    }
  });

  test("a token whose time has run out says so", async () => {
    const token = await signed(server, { sub: unique("ann"), exp: epoch(-600) });
    assert.equal(await way.refusal(server, { token }), "token_expired");
  });
}
