// Bytes from one wire to the other.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { asBuffers, fromBase64, inBase64 } from "../chapters/binary.mjs";
import { accepted, refused } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { enter, fence } from "../support/people.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SOME_WAYS } from "../support/socket.io.mjs";
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
