// Draining: every client is notified, and official clients reconnect by themselves.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { assertConsecutive, assertOk } from "../support/assert.mjs";
import { joinAsGuest, readUntilCount } from "../support/fixtures.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { ALL_SOCKET_IO, reconnectOptions } from "../support/socket.io.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

for (const clientType of ALL_SOCKET_IO) {
  describe(`draining ${clientType.label}`, () => {
    test("sends `closing` and ends the transport, and the client may reconnect", async (t) => {
      const server = await serverForThisTest(t);
      const ann = await joinAsGuest(t, clientType, server, "ann");
      const { code } = await server.exitOn("SIGTERM");
      assert.equal(code, 0, server.log.join("\n"));
      const { afterMs, ...why } = await ann.next("closing");
      assert.deepEqual(why, { code: "draining", reconnect: true });
      assert.ok(Number.isInteger(afterMs) && 0 <= afterMs);
      const reason = await withTimeout("the end of the connection", ann.closed);
      assert.ok(["transport close", "transport error"].includes(reason), reason);
      if (!clientType.legacy && ann.socket.active !== undefined)
        assert.equal(ann.socket.active, true);
    });

    test("the client reconnects as the same user, and missed nothing", async (t) => {
      const server = await serverForThisTest(t);
      const room = unique("room");
      const handshake = { room };
      const ann = await joinAsGuest(t, clientType, server, "ann", {
        room,
        ...reconnectOptions(clientType, handshake),
      });
      assertOk(await ann.ask("send message", "before"));
      await ann.next("new message");
      Object.assign(handshake, { token: ann.token, since: { [room]: 1 } });
      await server.restart();
      const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
      const sent = Array.from({ length: 20 }, (_, n) => ({ msg: n }));
      for (const it of await bob.askAll("send message", sent)) assertOk(it);
      const name = ann.name;
      assert.equal((await ann.waitForWelcome()).name, name);
      const seen = [];
      await readUntilCount(ann, seen, 20);
      assertConsecutive(seen, 2);
      assert.deepEqual(
        seen.map(({ msg }) => msg),
        sent.map(({ msg }) => msg),
      );
    });
  });
}
