// Bytes from one wire to the other.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { asBuffers, formOf, fromBase64, inBase64 } from "../chapters/binary.mjs";
import { accepted, refused } from "../support/assert.mjs";
import { everything } from "../support/history.mjs";
import { packed } from "../support/msgpack.mjs";
import { unique } from "../support/names.mjs";
import { comeBack, enter, fence } from "../support/people.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { EVERY_WAY, SOME_WAYS } from "../support/socket.io.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile();

const BYTES = Buffer.from(Float32Array.from({ length: 10_000 }, (_, i) => i / 2).buffer);
const PARTS = [BYTES.subarray(0, 7), { deep: Buffer.alloc(0) }];
const BODIES = [BYTES, { name: "a", parts: PARTS, n: 1 }];

for (const way of SOME_WAYS) {
  describe(`bytes between ${way.label} and plain WebSocket`, () => {
    test("they arrive as each wire writes them", async (t) => {
      const room = unique("room");
      const ann = await enter(t, way, server, "ann", { room });
      const bob = await enter(t, plain, server, "bob", { room });
      for (const body of BODIES) {
        accepted(await ann.ask("GroupChat", { data: body }));
        assert.deepEqual((await bob.next("GroupChat")).data, inBase64(body));
        accepted(await bob.ask("GroupChat", { data: inBase64(body) }));
        assert.deepEqual(asBuffers((await ann.next("GroupChat")).data), body);
        accepted(await bob.ask("SingleChat", { to: ann.name, data: inBase64(body) }));
        assert.deepEqual(asBuffers((await ann.next("SingleChat")).data), body);
      }
      const [theirs, ours] = [await ann.ask("history"), await bob.ask("history")];
      assert.deepEqual(asBuffers(theirs), fromBase64(ours));
    });

    test("what looks like bytes and is none is refused, and harms nobody", async (t) => {
      const room = unique("room");
      const ann = await enter(t, way, server, "ann", { room });
      const bob = await enter(t, plain, server, "bob", { room });
      const forgeries = [
        { _placeholder: true, num: 0 },
        { a: { _placeholder: true, num: 99 } },
        [{ _placeholder: true, num: -1 }, { base64: "AAEC" }],
        { _placeholder: true, num: "splice" },
      ];
      for (const msg of forgeries) {
        refused(await bob.ask("send message", { room, msg }), "bad_request");
        refused(await ann.ask("send message", { room, msg }), "bad_request");
      }
      accepted(await ann.ask("send message", { room, msg: { base64: "AAEC" } })); // just JSON
      await fence(ann, room, bob);
      await fence(bob, room, ann);
    });
  });
}

const TEN = Array.from({ length: 10 }, (_, n) => Buffer.alloc(n, n));
const ELEVEN = [...TEN, Buffer.from([10])];

for (const way of EVERY_WAY) {
  describe(`bytes between ${way.label}, JSON and MessagePack`, () => {
    const ways = [way, plain, packed];

    test("each has them in its own form: live, in history, and missed", async (t) => {
      const room = unique("room");
      const people = await company(t, ways, room);
      const said = [];
      for (const { it: speaker, write } of people) {
        for (const body of [...BODIES, TEN]) {
          accepted(await speaker.ask("send message", { room, msg: write(body) }));
          for (const { it, read } of people) {
            assert.deepEqual(read((await it.next("new message")).msg), body);
          }
          said.push(body);
        }
      }
      for (const { it, way, read } of people) {
        const stored = await everything(it, room);
        assert.deepEqual(
          stored.map(({ msg }) => read(msg)),
          said,
        );
        const back = await comeBack(t, way, server, it.token, { room, since: { [room]: 0 } });
        const missed = [];
        for (let more = true; more; ) {
          const page = await back.next("missed");
          assert.equal(page.recovered, true);
          missed.push(...page.messages);
          ({ more } = page);
        }
        assert.deepEqual(
          missed.map(({ msg }) => read(msg)),
          said,
        );
      }
    });

    test("they are there in direct messages and in edits", async (t) => {
      const room = unique("room");
      const people = await company(t, ways, room);
      for (const { it: speaker, write } of people) {
        const { seq } = accepted(await speaker.ask("send message", { room, msg: "at first" }));
        accepted(await speaker.ask("edit message", { room, seq, msg: write(TEN) }));
        for (const { it, read } of people) {
          assert.deepEqual(read((await it.next("message edited")).msg), TEN);
        }
        for (const { it, read } of people.filter(({ it }) => it !== speaker)) {
          const data = { to: it.name, data: write(BODIES[1]) };
          accepted(await speaker.ask("SingleChat", data));
          assert.deepEqual(read((await it.next("SingleChat")).data), BODIES[1]);
        }
      }
    });

    test("ten of them pass and eleven are refused, and nobody hears of these", async (t) => {
      const room = unique("room");
      const people = await company(t, ways, room);
      const others = ({ it: speaker }) => people.filter(({ it }) => it !== speaker);
      for (const speaker of people) {
        const { it, write } = speaker;
        const [ten, eleven] = [write(TEN), write({ deep: [ELEVEN] })];
        const { seq } = accepted(await it.ask("GroupChat", { room, data: ten }));
        const to = others(speaker)[0].it.name;
        for (const [event, data] of [
          ["send message", { room, msg: eleven }],
          ["GroupChat", { room, data: eleven }],
          ["SingleChat", { to, data: eleven }],
          ["edit message", { room, seq, msg: eleven }],
        ]) {
          refused(await it.ask(event, data), "too_many_attachments", event);
        }
        for (const { it: other, read } of others(speaker)) {
          assert.deepEqual(read((await other.next("GroupChat")).data), TEN);
        }
        await fence(it, room, ...people.map(({ it }) => it));
        for (const { it: other } of others(speaker)) {
          for (const event of ["new message", "GroupChat", "SingleChat", "message edited"]) {
            assert.deepEqual(other.take(event), []);
          }
        }
      }
    });
  });
}

/** One person of each way in `room`, and how bytes are written and read there. */
async function company(t, ways, room) {
  const people = [];
  for (const way of ways) {
    people.push({ it: await enter(t, way, server, "one", { room }), way, ...formOf(way) });
  }
  return people;
}
