// One room with clients of both transports.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { assertConsecutive, assertOk, assertRefused, assertSameNames } from "../support/assert.mjs";
import { barrier, connect, connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { MSGPACK_SOCKET_IO, SOME_SOCKET_IO } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "limits.presence_grace_ms": 100 } });

for (const clientType of [...SOME_SOCKET_IO, ...MSGPACK_SOCKET_IO]) {
  describe(`${clientType.label} and plain WebSocket in one room`, () => {
    test("each receives what the other posts, in the same form", async (t) => {
      const { room, ann, bob } = await pair(t);
      for (const [sender, receiver] of [
        [ann, bob],
        [bob, ann],
      ]) {
        const body = { text: clientType.text("Grüße 🙂"), n: [1, null, true] };
        const sent = assertOk(await sender.ask("send message", { room, msg: body }));
        const received = await receiver.next("new message");
        assert.deepEqual(received, await sender.next("new message"));
        const { id, seq, at } = sent;
        assert.deepEqual(received, { room, seq, id, username: sender.name, msg: body, at });
        assertOk(await sender.ask("GroupChat", { room, data: body }));
        assert.deepEqual((await receiver.next("GroupChat")).data, body);
      }
      const page = assertOk(await ann.ask("history"));
      assertConsecutive(page.messages);
      assert.deepEqual(await bob.ask("history"), page);
    });

    test("each receives the other's joining and leaving", async (t) => {
      const { room, ann, bob } = await pair(t);
      assertSameNames(assertOk(await bob.ask("GroupList")).users, [ann.name, bob.name]);
      for (const it of [ann, bob]) await it.next("get users", (names) => names.length === 2);
      assertOk(await ann.ask("leave", room));
      assert.deepEqual(await bob.next("user left"), { room, user: ann.name });
      assertOk(await ann.ask("join", room));
      await bob.next("user joined", ({ user }) => user === ann.name);
      bob.close();
      assert.deepEqual(await ann.next("user left"), { room, user: bob.name });
    });

    test("a name is taken on both", async (t) => {
      const { ann, bob } = await pair(t);
      const [other, another] = [
        await connect(t, wsJson, server),
        await connect(t, clientType, server),
      ];
      assertRefused(await other.ask("new user", ann.name), "name_taken");
      assertRefused(await another.ask("new user", bob.name), "name_taken");
    });

    test("one user may be connected over both, and ids are shared", async (t) => {
      const { room, ann } = await pair(t);
      const second = await connectWithToken(t, wsJson, server, ann.token, { room });
      const message = { room, msg: "once", id: unique("id") };
      const first = assertOk(await ann.ask("send message", message));
      assert.deepEqual(await second.ask("send message", message), { ...first, duplicate: true });
      assertRefused(await second.ask("send message", { ...message, msg: "twice" }), "conflict");
      assertOk(await ann.ask("GroupChat", "for the other one"));
      await second.next("GroupChat");
    });

    test("messages missed over one are recovered over the other", async (t) => {
      const { room, ann, bob } = await pair(t);
      const sent = Array.from({ length: 30 }, (_, n) => ({ msg: n }));
      for (const it of await ann.askAll("send message", sent)) assertOk(it);
      const since = { [room]: 10 };
      for (const [wire, token] of [
        [wsJson, ann.token],
        [clientType, bob.token],
      ]) {
        const back = await connectWithToken(t, wire, server, token, { room, since });
        const { messages } = await back.next("missed");
        assert.equal(messages.length, 20);
        assertConsecutive(messages, 11);
      }
    });

    test("direct messages reach the other transport", async (t) => {
      const { ann, bob } = await pair(t);
      for (const [sender, receiver] of [
        [ann, bob],
        [bob, ann],
      ]) {
        const to = receiver.name;
        const answer = assertOk(await sender.ask("SingleChat", { to, data: "psst" }));
        assert.equal(answer.online, true);
        const received = await receiver.next("SingleChat");
        const { id, seq, at } = answer;
        assert.deepEqual(received, { to, seq, id, user: sender.name, data: "psst", at });
      }
      const page = assertOk(await ann.ask("history", { with: bob.name }));
      assert.equal(page.messages.length, 2);
      assert.deepEqual(await bob.ask("history", { with: ann.name }), page);
    });

    /** `ann` over Socket.IO and `bob` over plain WebSocket; both have joined. */
    async function pair(t) {
      const room = unique("room");
      const ann = await joinAsGuest(t, clientType, server, "ann", { room });
      const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
      await ann.next("user joined");
      return { room, ann, bob };
    }
  });
}

test("all client types in one room receive the same order", async (t) => {
  const room = unique("room");
  const clients = [];
  for (const it of [...SOME_SOCKET_IO, ...MSGPACK_SOCKET_IO, wsJson])
    clients.push(await joinAsGuest(t, it, server, "one", { room }));
  const list = Array.from({ length: 40 }, (_, n) => ({ msg: n }));
  await Promise.all(clients.map((it) => it.askAll("send message", list)));
  const count = list.length * clients.length;
  const views = await Promise.all(clients.map((it) => it.collect("new message", count)));
  for (const view of views) {
    assertConsecutive(view);
    assert.deepEqual(view, views[0]);
  }
  await barrier(clients[0], room, ...clients);
});
