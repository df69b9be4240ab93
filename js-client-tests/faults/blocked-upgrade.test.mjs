// Proxies that block WebSocket: clients continue over polling.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { assertConsecutive, assertOk } from "../support/assert.mjs";
import { ClientProxy } from "../support/client-proxy.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo, waitForHeartbeat, waitForUpgrade } from "../support/socket.io.mjs";
import { LONG_TIMEOUT_MS, withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";

const VERSIONS = ["4.8", "3.1", "2.5", "2.3", "1.7"];
const HEARTBEATS_MIN = 10;
const MESSAGES_EACH = 3;

/** A post and a poll for each message, an acknowledgement and a heartbeat, and as much again. */
const requestsMax = (beats) => 40 + beats * 2 * (2 + 3 * MESSAGES_EACH);

const server = serverForThisFile({ settings: { "limits.ping_interval_ms": 500 } });

describe("behind a proxy that drops the frames of WebSockets", { concurrency: true }, () => {
  for (const version of VERSIONS) {
    test(`${version} stays on polling while the upgrade hangs, and after`, async (t) => {
      const proxy = await new ClientProxy(server, { upgrade: "black hole" }).start(t);
      let closed = false;
      const hole = withTimeout("the end of the WebSocket", proxy.holeClosed, LONG_TIMEOUT_MS);
      hole.then(
        () => (closed = true),
        () => {},
      );
      await chat(t, version, proxy, (beat) => closed && HEARTBEATS_MIN <= beat);
      await hole;
    });
  }
});

describe("behind a proxy that answers upgrades with 502", { concurrency: true }, () => {
  for (const version of VERSIONS) {
    test(`${version} stays on polling`, async (t) => {
      const proxy = await new ClientProxy(server, { upgrade: "refuse" }).start(t);
      await chat(t, version, proxy, (beat) => HEARTBEATS_MIN <= beat);
    });
  }
});

describe("behind a proxy that lets WebSockets through", () => {
  for (const version of VERSIONS) {
    test(`${version} upgrades and stops polling`, async (t) => {
      const proxy = await new ClientProxy(server).start(t);
      const ann = await joinAsGuest(t, socketIo(version, "upgrade"), proxy, "ann", {
        room: unique("room"),
      });
      await waitForUpgrade(ann);
      const before = proxy.requests;
      for (let n = 0; n < 20; n += 1) assertOk(await ann.ask("send message", { msg: n }));
      assertConsecutive(await ann.collect("new message", 20));
      assert.ok(proxy.requests <= before + 1, "it continued to poll");
    });
  }
});

/** `ann` behind the proxy and `bob` without it post some messages per heartbeat until `done`. */
async function chat(t, version, proxy, done) {
  const room = unique("room");
  const ann = await joinAsGuest(t, socketIo(version, "upgrade"), proxy, "ann", { room });
  const bob = await joinAsGuest(t, socketIo("4.8", "websocket"), server, "bob", { room });
  let beat = 0;
  for (; !done(beat); beat += 1) {
    await waitForHeartbeat(ann);
    for (let n = 0; n < MESSAGES_EACH; n += 1) {
      assertOk(await ann.ask("send message", `ann ${beat} ${n}`));
      assertOk(await bob.ask("send message", `bob ${beat} ${n}`));
    }
  }
  for (const it of [ann, bob])
    assertConsecutive(await it.collect("new message", 2 * beat * MESSAGES_EACH));
  assert.ok(1 <= proxy.upgrades, "the client never tried to upgrade");
  assert.equal(ann.engine.transport.name, "polling");
  const [requests, most] = [proxy.requests, requestsMax(beat)];
  assert.ok(requests <= most, `${requests} requests in ${beat} heartbeats, at most ${most}`);
}
