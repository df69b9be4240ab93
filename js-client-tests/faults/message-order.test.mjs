// Thousands of messages that are sent without waiting arrive in one order everywhere.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertConsecutive, assertOk } from "../support/assert.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { LONG_TIMEOUT_MS } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const COUNT = 5000;

const server = serverForThisFile();

const SENDERS = [
  socketIo("4.8", "polling"),
  socketIo("4.8", "websocket"),
  socketIo("4.8", "upgrade"),
  socketIo("3.1", "upgrade"),
  socketIo("2.5", "polling"),
  socketIo("2.5", "websocket"),
  socketIo("2.5", "upgrade"),
  socketIo("1.7", "websocket"),
  wsJson,
];

const RECEIVERS = [
  socketIo("4.8", "polling"),
  socketIo("4.8", "websocket"),
  socketIo("2.5", "upgrade"),
  wsJson,
];

for (const sender of SENDERS) {
  test(`${COUNT} messages of ${sender.label} arrive in their order`, async (t) => {
    const room = unique("room");
    const receivers = [];
    for (const it of RECEIVERS)
      receivers.push(await joinAsGuest(t, it, server, "listener", { room }));
    const ann = await joinAsGuest(t, sender, server, "ann", { room });
    const list = Array.from({ length: COUNT }, (_, n) => ({ msg: n }));
    const answers = await ann.askAll("send message", list, LONG_TIMEOUT_MS);
    answers.forEach(assertOk);
    assertConsecutive(answers);
    for (const it of [ann, ...receivers]) {
      const received = await it.collect("new message", COUNT, LONG_TIMEOUT_MS);
      assertConsecutive(received);
      for (const [at, { msg }] of received.entries()) assert.equal(msg, at);
      assert.equal(it.events.count("new message"), 0, "a message arrived twice");
    }
  });
}
