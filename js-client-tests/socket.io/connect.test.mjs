// Getting in, over every version and transport, and moving from one transport to another.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { accepted, dense } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { arrive, enter } from "../support/people.mjs";
import { RawPolling } from "../support/raw.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { EVERY_WAY, upgraded } from "../support/socket.io.mjs";

const server = serverForThisFile();

for (const way of EVERY_WAY) {
  describe(`connecting with ${way.label}`, () => {
    test("the client is let in over the transport that it asked for", async (t) => {
      const ann = await arrive(t, way, server);
      if (way.transport === "upgrade") await upgraded(ann);
      const transport = way.transport === "polling" ? "polling" : "websocket";
      assert.equal(ann.engine.transport.name, transport);
      await ann.identify(unique("ann"));
    });

    test("a client that leaves is told nothing more and bothers nobody", async (t) => {
      const ann = await enter(t, way, server, "ann");
      ann.socket.disconnect();
      assert.equal(await ann.gone, "io client disconnect");
    });

    test("the name of the connection is not its session id", async (t) => {
      const room = unique("room");
      const ann = await enter(t, way, server, "ann", { room });
      const bob = await enter(t, way, server, "bob", { room });
      const heard = JSON.stringify([
        bob.welcome,
        await ann.next("user joined"),
        await ann.next("get users"),
        await ann.ask("GroupList"),
        await ann.ask("send message", "x"),
        await ann.next("new message"),
        await ann.ask("history"),
      ]);
      assert.ok(!heard.includes(bob.engine.id), "what is heard holds a session id");
      assert.ok(!heard.includes(ann.engine.id), "what is heard holds a session id");
      assert.ok(!heard.includes(bob.socket.id), "what is heard holds a socket id");
    });
  });
}

for (const way of EVERY_WAY.filter(({ transport }) => transport === "upgrade")) {
  test(`nothing is lost or repeated while ${way.label} changes transports`, async (t) => {
    const room = unique("room");
    const ann = await arrive(t, way, server, { room });
    const bob = await enter(t, way, server, "bob", { room });
    let there = false;
    const done = upgraded(ann).then(() => (there = true));
    await ann.identify(unique("ann"));
    const answers = [];
    for (let n = 0; !there || n < 50; n += 1) {
      answers.push(accepted(await ann.ask("send message", { msg: n })));
    }
    await done;
    dense(answers);
    for (const it of [ann, bob]) {
      const heard = await it.collect("new message", answers.length);
      dense(heard);
    }
  });
}

test("the handshake tells the limits that the settings name", async () => {
  const raw = await RawPolling.open(server);
  const { pingInterval, pingTimeout, maxPayload, upgrades } = raw.handshake;
  assert.deepEqual(
    { pingInterval, pingTimeout, maxPayload, upgrades },
    { pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1_048_576, upgrades: ["websocket"] },
  );
  assert.match(raw.headers.get("cache-control") ?? "", /no-store/);
});
