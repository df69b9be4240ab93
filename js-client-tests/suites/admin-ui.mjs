// The official Admin UI, on one node and on several. docs/operations.md.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";

import { AdminClient } from "../support/admin-ui.mjs";
import { connectAnonymously, joinAsUser } from "../support/fixtures.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const CLIENT_TYPES = [wsJson, socketIo("4.8", "websocket"), socketIo("4.8", "polling")];

/** Each way to end a connection, and the reason in the words of Socket.IO. */
const ENDS = [
  [wsJson, ({ socket }) => socket.close(), "client namespace disconnect"],
  [wsJson, ({ socket }) => socket.terminate(), "transport close"],
  [socketIo("4.8", "polling"), ({ socket }) => socket.disconnect(), "client namespace disconnect"],
  [
    socketIo("4.8", "websocket"),
    ({ socket }) => socket.io.engine.transport.ws.terminate(),
    "transport close",
  ],
  ...CLIENT_TYPES.map((clientType) => [
    clientType,
    (_, { page, id }) => page.socket.emit("_disconnect", "/", true, id),
    "server namespace disconnect",
  ]),
];

/** How many messages are counted. Their contents are random, because messages may be compressed. */
const MESSAGES = 3;
const MESSAGE_BYTES = 20_000;
const COMPRESSED_BYTES_MIN = 14_000;

/** `nodes()` returns the node of the page and that of the client. They have the spaces `/space-*`. */
export function adminUi(nodes) {
  test("an anonymous socket is put in a room and taken out", async (t) => {
    const [one, other] = nodes();
    const page = await AdminClient.connect(t, one);
    const space = unique("/space-");
    await connectAnonymously(t, wsJson, other, { space });
    const found = () => [...page.sockets.values()].find(({ nsp }) => nsp === space);
    await page.until("the anonymous socket", () => found() !== undefined);
    const [socket, room] = [found(), unique("room")];
    page.socket.emit("join", space, room, socket.id);
    await page.untilIn(socket, room);
    page.socket.emit("leave", space, room, socket.id);
    await page.untilOut(socket, room);
  });

  test("the page is told why sockets ended", async (t) => {
    const [one, other] = nodes();
    const page = await AdminClient.connect(t, one);
    const clients = [];
    for (const [clientType] of ENDS) clients.push(await joinAsUser(t, clientType, other, "ann"));
    const sockets = await Promise.all(clients.map(({ name }) => page.socketOf(name)));
    const ended = ENDS.map(([_, end, reason], at) => {
      return { client: clients[at], end, reason, id: sockets[at].id };
    });
    for (const { client, end, id } of ended) end(client, { page, id });
    await page.until("all ends", () => ended.every(({ id }) => page.reasons.has(id)));
    assert.deepEqual(
      ended.map(({ id }) => page.reasons.get(id)),
      ended.map(({ reason }) => reason),
    );
  });

  for (const clientType of CLIENT_TYPES) {
    test(`what a client sends and receives is counted: ${clientType.label}`, async (t) => {
      const [one, other] = nodes();
      const page = await AdminClient.connect(t, one);
      const room = unique("room");
      const ann = await joinAsUser(t, clientType, other, "ann", { room });
      const { id } = await page.socketOf(ann.name);
      const counts = page.countsOf.get(id.split(".")[0]);
      const before = { ...counts };
      for (let sent = 0; sent < MESSAGES; sent += 1) {
        const msg = randomBytes(MESSAGE_BYTES * 0.75).toString("base64");
        assert.equal((await ann.ask("send message", { room, msg })).ok, true);
      }
      const added = (type) => counts[type] - before[type];
      const bytes = MESSAGES * COMPRESSED_BYTES_MIN;
      await page.until("the figures", () => added("bytesIn") > bytes && added("bytesOut") > bytes);
      assert.ok(added("bytesIn") < MESSAGES * MESSAGE_BYTES * 1.5, "nothing is counted twice");
      assert.ok(added("packetsIn") >= MESSAGES && added("packetsOut") >= MESSAGES);
    });
  }
}
