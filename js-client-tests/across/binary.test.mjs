// Bytes between Socket.IO, JSON and MessagePack clients.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { asBuffers, bodyCodec, fromBase64, toBase64 } from "../suites/binary.mjs";
import { assertOk, assertRefused } from "../support/assert.mjs";
import { barrier, connectWithToken, joinAsGuest, readMissed } from "../support/fixtures.mjs";
import { readHistory } from "../support/history.mjs";
import { wsMsgpack } from "../support/msgpack.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO, SOME_SOCKET_IO } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile();

const BYTES = Buffer.from(Float32Array.from({ length: 10_000 }, (_, i) => i / 2).buffer);
const PARTS = [BYTES.subarray(0, 7), { deep: Buffer.alloc(0) }];
const BODIES = [BYTES, { name: "a", parts: PARTS, n: 1 }];

for (const clientType of SOME_SOCKET_IO) {
  describe(`bytes between ${clientType.label} and plain WebSocket`, () => {
    test("they arrive in the encoding of each transport", async (t) => {
      const room = unique("room");
      const ann = await joinAsGuest(t, clientType, server, "ann", { room });
      const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
      for (const body of BODIES) {
        assertOk(await ann.ask("GroupChat", { data: body }));
        assert.deepEqual((await bob.next("GroupChat")).data, toBase64(body));
        assertOk(await bob.ask("GroupChat", { data: toBase64(body) }));
        assert.deepEqual(asBuffers((await ann.next("GroupChat")).data), body);
        assertOk(await bob.ask("SingleChat", { to: ann.name, data: toBase64(body) }));
        assert.deepEqual(asBuffers((await ann.next("SingleChat")).data), body);
      }
      const [theirs, ours] = [await ann.ask("history"), await bob.ask("history")];
      assert.deepEqual(asBuffers(theirs), fromBase64(ours));
    });

    test("objects that imitate bytes are refused, and disturb no connection", async (t) => {
      const room = unique("room");
      const ann = await joinAsGuest(t, clientType, server, "ann", { room });
      const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
      const forgeries = [
        { _placeholder: true, num: 0 },
        { a: { _placeholder: true, num: 99 } },
        [{ _placeholder: true, num: -1 }, { base64: "AAEC" }],
        { _placeholder: true, num: "splice" },
      ];
      for (const msg of forgeries) {
        assertRefused(await bob.ask("send message", { room, msg }), "bad_request");
        assertRefused(await ann.ask("send message", { room, msg }), "bad_request");
      }
      assertOk(await ann.ask("send message", { room, msg: { base64: "AAEC" } })); // just JSON
      await barrier(ann, room, bob);
      await barrier(bob, room, ann);
    });
  });
}

const TEN = Array.from({ length: 10 }, (_, n) => Buffer.alloc(n, n));
const ELEVEN = [...TEN, Buffer.from([10])];

for (const clientType of ALL_SOCKET_IO) {
  describe(`bytes between ${clientType.label}, JSON and MessagePack`, () => {
    const clientTypes = [clientType, wsJson, wsMsgpack];

    test("each receives them in its own encoding: live, in history, and missed", async (t) => {
      const room = unique("room");
      const clients = await onePerType(t, clientTypes, room);
      const sent = [];
      for (const { it: sender, write } of clients) {
        for (const body of [...BODIES, TEN]) {
          assertOk(await sender.ask("send message", { room, msg: write(body) }));
          for (const { it, read } of clients) {
            assert.deepEqual(read((await it.next("new message")).msg), body);
          }
          sent.push(body);
        }
      }
      for (const { it, clientType, read } of clients) {
        const stored = await readHistory(it, room);
        assert.deepEqual(
          stored.map(({ msg }) => read(msg)),
          sent,
        );
        const back = await connectWithToken(t, clientType, server, it.token, {
          room,
          since: { [room]: 0 },
        });
        assert.deepEqual(
          (await readMissed(back)).map(({ msg }) => read(msg)),
          sent,
        );
      }
    });

    test("direct messages and edits may contain them, too", async (t) => {
      const room = unique("room");
      const clients = await onePerType(t, clientTypes, room);
      for (const { it: sender, write } of clients) {
        const { seq } = assertOk(await sender.ask("send message", { room, msg: "at first" }));
        assertOk(await sender.ask("edit message", { room, seq, msg: write(TEN) }));
        for (const { it, read } of clients) {
          assert.deepEqual(read((await it.next("message edited")).msg), TEN);
        }
        for (const { it, read } of clients.filter(({ it }) => it !== sender)) {
          const data = { to: it.name, data: write(BODIES[1]) };
          assertOk(await sender.ask("SingleChat", data));
          assert.deepEqual(read((await it.next("SingleChat")).data), BODIES[1]);
        }
      }
    });

    test("ten attachments are accepted, eleven are refused and delivered to no client", async (t) => {
      const room = unique("room");
      const clients = await onePerType(t, clientTypes, room);
      const others = ({ it: sender }) => clients.filter(({ it }) => it !== sender);
      for (const sender of clients) {
        const { it, write } = sender;
        const [ten, eleven] = [write(TEN), write({ deep: [ELEVEN] })];
        const { seq } = assertOk(await it.ask("GroupChat", { room, data: ten }));
        const to = others(sender)[0].it.name;
        for (const [event, data] of [
          ["send message", { room, msg: eleven }],
          ["GroupChat", { room, data: eleven }],
          ["SingleChat", { to, data: eleven }],
          ["edit message", { room, seq, msg: eleven }],
        ]) {
          // A Socket.IO packet with more than ten ends its session: spec/socket.io-packets.test.mjs.
          if (sender.clientType.wire === "ws")
            assertRefused(await it.ask(event, data), "too_many_attachments", event);
        }
        for (const { it: other, read } of others(sender)) {
          assert.deepEqual(read((await other.next("GroupChat")).data), TEN);
        }
        await barrier(it, room, ...clients.map(({ it }) => it));
        for (const { it: other } of others(sender)) {
          for (const event of ["new message", "GroupChat", "SingleChat", "message edited"]) {
            assert.deepEqual(other.take(event), []);
          }
        }
      }
    });
  });
}

/** One client of each type in `room`, with its codec for bytes. */
async function onePerType(t, clientTypes, room) {
  const clients = [];
  for (const clientType of clientTypes) {
    clients.push({
      it: await joinAsGuest(t, clientType, server, "one", { room }),
      clientType,
      ...bodyCodec(clientType),
    });
  }
  return clients;
}
