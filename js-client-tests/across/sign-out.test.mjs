// A session ends, and with it its connections on both wires. docs/protocol.md "Cookie sessions".

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { unique } from "../support/names.mjs";
import { within } from "../support/patience.mjs";
import { arrive, enter, fence } from "../support/people.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { end, signedIn } from "../support/session.mjs";
import { SOME_WAYS } from "../support/socket.io.mjs";
import { minted } from "../support/tokens.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "limits.presence_grace_ms": 100 } });

for (const way of SOME_WAYS) {
  describe(`signing out of ${way.label} and plain WebSocket`, () => {
    test("ends what the session has, and nothing that another one of the user has", async (t) => {
      const room = unique("room");
      const token = await minted(server, unique("ann"));
      const [one, other] = [await signedIn(server, { token }), await signedIn(server, { token })];
      const ended = [await come(t, way, one, room), await come(t, plain, one, room)];
      const kept = [await come(t, way, other, room), await come(t, plain, other, room)];
      const apart = await arrive(t, plain, server, { token, room });
      await apart.welcomed();
      assert.equal((await end(server, one)).status, 204);
      for (const it of ended) await signedOut(it);
      await fence(apart, room, ...kept, apart);
      for (const it of [...kept, apart]) assert.deepEqual(it.take("closing"), []);
    });

    test("makes a guest's name free", async (t) => {
      const room = unique("room");
      const bob = await enter(t, plain, server, "bob", { room });
      const headers = await signedIn(server, { name: unique("ann") });
      const ann = await come(t, way, headers, room);
      await bob.next("user joined");
      await end(server, headers);
      await signedOut(ann);
      assert.deepEqual(await bob.next("user left"), { room, user: ann.name });
      const again = await come(t, way, await signedIn(server, { name: ann.name }), room);
      assert.equal(again.name, ann.name);
    });
  });
}

/** Somebody who has a session. */
async function come(t, way, headers, room) {
  const client = await arrive(t, way, server, { headers, room });
  return client.welcomed();
}

/** Waits for the words and then for the end that is for good. */
async function signedOut(client) {
  const { code, reconnect } = await client.next("closing");
  assert.deepEqual([code, reconnect], ["signed_out", false]);
  const reason = await within("the end of the connection", client.gone);
  if (client.engine === undefined) assert.deepEqual(reason, { code: 4501, reason: "signed_out" });
  else assert.equal(reason, "io server disconnect");
}
