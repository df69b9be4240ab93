// A burst reaches every client that keeps reading.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertConsecutive, assertOk } from "../support/assert.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { LONG_TIMEOUT_MS } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const COUNT = 20_000;
const READERS = [
  socketIo("4.8", "websocket"),
  socketIo("4.8", "polling"),
  socketIo("2.5", "websocket"),
  socketIo("2.5", "polling"),
  wsJson,
];

const server = serverForThisFile();

for (const sender of [wsJson, socketIo("4.8", "websocket")]) {
  test(`${COUNT} messages of ${sender.label} reach every reader`, async (t) => {
    const room = unique("room");
    const readers = [];
    for (const it of READERS) readers.push(await joinAsGuest(t, it, server, "reader", { room }));
    const senders = [
      await joinAsGuest(t, sender, server, "speaker", { room }),
      await joinAsGuest(t, sender, server, "speaker", { room }),
    ];
    const list = Array.from({ length: COUNT / senders.length }, (_, n) => ({ data: n }));
    const answers = await Promise.all(
      senders.map((it) => it.askAll("GroupChat", list, LONG_TIMEOUT_MS)),
    );
    answers.flat().forEach(assertOk);
    assertConsecutive(answers.flat().sort((a, b) => a.seq - b.seq));
    for (const it of readers) {
      const received = await it.collect("GroupChat", COUNT, LONG_TIMEOUT_MS);
      assertConsecutive(received);
      for (const { name } of senders) {
        const sent = received.filter(({ user }) => user === name).map(({ data }) => data);
        for (const [at, n] of sent.entries()) assert.equal(n, at);
      }
    }
  });
}
