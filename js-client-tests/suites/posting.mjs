// Posting: `send message` and `GroupChat`, message ids, order. docs/protocol.md "Client to server".

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  assertConsecutive,
  assertErrorEvent,
  assertOk,
  assertRecentTime,
  assertRefused,
} from "../support/assert.mjs";
import { barrier, connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { unique } from "../support/unique.mjs";

const BODIES = [
  "plain",
  "  kept as it is  ",
  'quotes " and \\ and \u001e and \u2028 and 🙂 and ﷽',
  0,
  -1.5,
  true,
  false,
  [],
  {},
  [1, "two", null, [3]],
  { text: "x", nested: { deep: [{ a: null }] }, "": 1 },
];

export function posting(clientType, server) {
  test("all members receive a message, its author included", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    const answer = assertOk(await ann.ask("send message", { room, msg: "hello" }));
    assertRecentTime(answer.at);
    const { id, seq, at } = answer;
    assert.deepEqual(answer, { ok: true, id, room, seq: 1, at });
    const expected = { room, seq, id, username: ann.name, msg: "hello", at };
    assert.deepEqual(await ann.next("new message"), expected);
    assert.deepEqual(await bob.next("new message"), expected);
  });

  test("a bare text goes to the default room", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    assert.equal(assertOk(await ann.ask("send message", "hello")).room, room);
    assert.equal((await bob.next("new message")).msg, "hello");
    assert.equal(assertOk(await ann.ask("GroupChat", "hi")).room, room);
    assert.equal((await bob.next("GroupChat")).data, "hi");
  });

  test("the lobby is the default room of a user who requested none", async (t) => {
    const ann = await joinAsGuest(t, clientType, server, "ann");
    const bob = await joinAsGuest(t, clientType, server, "bob");
    const msg = unique("hello");
    assert.equal(assertOk(await ann.ask("send message", msg)).room, "lobby");
    await bob.next("new message", (message) => message.msg === msg);
  });

  test("GroupChat reaches all connections but the sending one", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const second = await connectWithToken(t, clientType, server, ann.token, { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    const answer = assertOk(await ann.ask("GroupChat", { room, data: { n: 1 } }));
    const { id, seq, at } = answer;
    assert.deepEqual(answer, { ok: true, id, room, seq: 1, at });
    const expected = { room, seq, id, user: ann.name, data: { n: 1 }, at };
    assert.deepEqual(await bob.next("GroupChat"), expected);
    assert.deepEqual(await second.next("GroupChat"), expected);
    await barrier(bob, room, ann);
    assert.deepEqual(ann.take("GroupChat"), []);
  });

  test("a body is any JSON value and arrives unchanged", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    const bodies = BODIES.map((it) => (typeof it === "string" ? clientType.text(it) : it));
    for (const msg of bodies) assertOk(await ann.ask("send message", { room, msg }));
    const received = await bob.collect("new message", bodies.length);
    assert.deepEqual(
      received.map(({ msg }) => msg),
      bodies,
    );
    for (const data of bodies) assertOk(await ann.ask("GroupChat", { room, data }));
    const chats = await bob.collect("GroupChat", bodies.length);
    assert.deepEqual(
      chats.map(({ data }) => data),
      bodies,
    );
  });

  test("a repeated id gets the first acknowledgement again, without effect", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    for (const event of ["send message", "GroupChat"]) {
      const field = event === "GroupChat" ? "data" : "msg";
      const id = unique("id");
      const message = { room, [field]: { a: 1, b: [2] }, id };
      const first = assertOk(await ann.ask(event, message));
      assert.equal(first.id, id);
      assert.deepEqual(await ann.ask(event, message), { ...first, duplicate: true });
      assertRefused(await ann.ask(event, { ...message, [field]: "other" }), "conflict");
    }
    const { seq } = await barrier(ann, room, bob);
    assert.equal(seq, 3);
    assert.equal(bob.take("new message").length, 1);
    assert.equal(bob.take("GroupChat").length, 1);
  });

  test("an id that is sent several times at once is stored once", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const message = { room, msg: "hello", id: unique("id") };
    const answers = await ann.askAll("send message", Array(8).fill(message));
    answers.forEach(assertOk);
    assert.equal(answers.filter(({ duplicate }) => duplicate === true).length, 7);
    assert.deepEqual(new Set(answers.map(({ seq }) => seq)), new Set([1]));
    assert.equal((await barrier(ann, room, ann)).seq, 2);
    assert.equal(ann.take("new message").length, 1);
  });

  test("an id belongs to its user and conversation", async (t) => {
    const [room, other] = [unique("room"), unique("other")];
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    assertOk(await ann.ask("join", other));
    const id = unique("id");
    const answers = [
      await ann.ask("send message", { room, msg: "one", id }),
      await bob.ask("send message", { room, msg: "two", id }),
      await ann.ask("send message", { room: other, msg: "three", id }),
      await ann.ask("SingleChat", { to: bob.name, data: "four", id }),
    ];
    for (const answer of answers) assert.equal(assertOk(answer).duplicate, undefined);
  });

  test("ids have 1 to 64 visible characters", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    for (const id of ["!", "~", '"\\{}', "x".repeat(64)]) {
      assert.equal(assertOk(await ann.ask("send message", { room, msg: "x", id })).id, id);
      assert.equal((await ann.next("new message")).id, id);
    }
  });

  test("without an acknowledgement a message is posted, too", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    ann.emit("send message", { room, msg: "hello" });
    ann.emit("send message", { room, msg: "" });
    assert.equal((await ann.next("new message")).msg, "hello");
    assertErrorEvent(await ann.next("error message"), "send message", "message_empty");
  });

  test("one sender's messages keep their order, whatever their kind", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        n % 2 ? ann.ask("GroupChat", { room, data: n }) : ann.ask("send message", { room, msg: n }),
      ),
    );
    assertConsecutive(answers);
    const texts = await bob.collect("new message", 50);
    const chats = await bob.collect("GroupChat", 50);
    for (const [at, { msg }] of texts.entries()) assert.equal(msg, 2 * at);
    for (const [at, { data }] of chats.entries()) assert.equal(data, 2 * at + 1);
    assertConsecutive([...texts, ...chats].sort((a, b) => a.seq - b.seq));
  });

  test("all members see several senders' messages in one order", async (t) => {
    const room = unique("room");
    const clients = await Promise.all(
      ["ann", "bob", "carol"].map((base) => joinAsGuest(t, clientType, server, base, { room })),
    );
    const list = Array.from({ length: 30 }, (_, n) => ({ room, msg: n }));
    await Promise.all(clients.map((it) => it.askAll("send message", list)));
    const views = await Promise.all(clients.map((it) => it.collect("new message", 90)));
    for (const view of views) {
      assertConsecutive(view);
      assert.deepEqual(view, views[0]);
    }
  });
}
