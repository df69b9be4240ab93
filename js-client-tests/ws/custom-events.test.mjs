import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { customEvents, EVENT_SETTINGS } from "../suites/custom-events.mjs";
import { assertOk, assertRefused } from "../support/assert.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { wsMsgpack } from "../support/msgpack.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: EVENT_SETTINGS });

for (const clientType of [wsJson, wsMsgpack]) {
  describe(`events of the application over ${clientType.label}`, () => {
    customEvents(clientType, server);

    test("`data` is one argument, and not together with `args`", async (t) => {
      const room = unique("room");
      const ann = await joinAsGuest(t, clientType, server, "ann", { room });
      const bob = await joinAsGuest(t, clientType, server, "bob", { room });
      assertOk(await ann.ask("any:thing", { x: 1 }));
      assert.deepEqual(await bob.next("any:thing"), [{ x: 1 }]);
      assertOk(await ann.ask("any:thing"));
      assert.deepEqual(await bob.next("any:thing"), []);
      ann.send({ event: "any:thing", data: 1, args: [2], ack: 900 });
      assertRefused(await ann.next("answer"), "bad_request");
      ann.send({ event: "any:thing", args: { 0: 2 }, ack: 901 });
      assertRefused(await ann.next("answer"), "bad_request");
    });

    test("a request of the protocol takes its data from `args`, too", async (t) => {
      const ann = await joinAsGuest(t, clientType, server, "ann", { room: unique("room") });
      assertOk(await ann.askWith("send message", ["hi"]));
      assert.equal((await ann.next("new message")).msg, "hi");
    });
  });
}
