// Connecting over every version and transport, and upgrading from polling to WebSocket.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { assertConsecutive, assertOk } from "../support/assert.mjs";
import { connect, joinAsGuest } from "../support/fixtures.mjs";
import { RawPolling } from "../support/raw-clients.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO, waitForUpgrade } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";

const server = serverForThisFile();

for (const clientType of ALL_SOCKET_IO) {
  describe(`connecting with ${clientType.label}`, () => {
    test("the client connects over the requested transport", async (t) => {
      const ann = await connect(t, clientType, server);
      if (clientType.transport === "upgrade") await waitForUpgrade(ann);
      const transport = clientType.transport === "polling" ? "polling" : "websocket";
      assert.equal(ann.engine.transport.name, transport);
      await ann.identify(unique("ann"));
    });

    test("a client that disconnects receives nothing more and disturbs no other client", async (t) => {
      const ann = await joinAsGuest(t, clientType, server, "ann");
      ann.socket.disconnect();
      assert.equal(await ann.closed, "io client disconnect");
    });

    test("the connection id is not the session id", async (t) => {
      const room = unique("room");
      const ann = await joinAsGuest(t, clientType, server, "ann", { room });
      const bob = await joinAsGuest(t, clientType, server, "bob", { room });
      const received = JSON.stringify([
        bob.welcome,
        await ann.next("user joined"),
        await ann.next("get users"),
        await ann.ask("GroupList"),
        await ann.ask("send message", "x"),
        await ann.next("new message"),
        await ann.ask("history"),
      ]);
      assert.ok(!received.includes(bob.engine.id), "an event contains a session id");
      assert.ok(!received.includes(ann.engine.id), "an event contains a session id");
      assert.ok(!received.includes(bob.socket.id), "an event contains a socket id");
    });
  });
}

for (const clientType of ALL_SOCKET_IO.filter(({ transport }) => transport === "upgrade")) {
  test(`nothing is lost or repeated while ${clientType.label} upgrades`, async (t) => {
    const room = unique("room");
    const ann = await connect(t, clientType, server, { room });
    const bob = await joinAsGuest(t, clientType, server, "bob", { room });
    let there = false;
    const done = waitForUpgrade(ann).then(() => (there = true));
    await ann.identify(unique("ann"));
    const answers = [];
    for (let n = 0; !there || n < 50; n += 1) {
      answers.push(assertOk(await ann.ask("send message", { msg: n })));
    }
    await done;
    assertConsecutive(answers);
    for (const it of [ann, bob]) {
      const received = await it.collect("new message", answers.length);
      assertConsecutive(received);
    }
  });
}

test("the handshake has the limits of the settings", async () => {
  const raw = await RawPolling.open(server);
  const { pingInterval, pingTimeout, maxPayload, upgrades } = raw.handshake;
  assert.deepEqual(
    { pingInterval, pingTimeout, maxPayload, upgrades },
    { pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 4_194_304, upgrades: ["websocket"] },
  );
  assert.match(raw.headers.get("cache-control") ?? "", /no-store/);
});
