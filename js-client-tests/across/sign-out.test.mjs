// The end of a session disconnects its connections on both transports. docs/protocol.md "Cookie
// sessions".

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { assertClosedForGood } from "../support/assert.mjs";
import { deleteSession, signIn } from "../support/cookie-session.mjs";
import { barrier, connect, joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SOME_SOCKET_IO } from "../support/socket.io.mjs";
import { mintToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "limits.presence_grace_ms": 100 } });

for (const clientType of SOME_SOCKET_IO) {
  describe(`signing out of ${clientType.label} and plain WebSocket`, () => {
    test("disconnects the session's connections, and not the user's others", async (t) => {
      const room = unique("room");
      const token = await mintToken(server, unique("ann"));
      const [one, other] = [await signIn(server, { token }), await signIn(server, { token })];
      const ended = [
        await connectSession(t, clientType, one, room),
        await connectSession(t, wsJson, one, room),
      ];
      const kept = [
        await connectSession(t, clientType, other, room),
        await connectSession(t, wsJson, other, room),
      ];
      const apart = await connect(t, wsJson, server, { token, room });
      await apart.waitForWelcome();
      assert.equal((await deleteSession(server, one)).status, 204);
      for (const it of ended) await assertClosedForGood(it, "signed_out", 4501);
      await barrier(apart, room, ...kept, apart);
      for (const it of [...kept, apart]) assert.deepEqual(it.take("closing"), []);
    });

    test("frees a guest's name", async (t) => {
      const room = unique("room");
      const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
      const headers = await signIn(server, { name: unique("ann") });
      const ann = await connectSession(t, clientType, headers, room);
      await bob.next("user joined");
      await deleteSession(server, headers);
      await assertClosedForGood(ann, "signed_out", 4501);
      assert.deepEqual(await bob.next("user left"), { room, user: ann.name });
      const again = await connectSession(
        t,
        clientType,
        await signIn(server, { name: ann.name }),
        room,
      );
      assert.equal(again.name, ann.name);
    });
  });
}

/** Connects with a session. */
async function connectSession(t, clientType, headers, room) {
  const client = await connect(t, clientType, server, { headers, room });
  return client.waitForWelcome();
}
