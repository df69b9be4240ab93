// SIGTERM while clients send: each receives `closing`, and what was stored is acknowledged.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { connect } from "../support/fixtures.mjs";
import { readHistory } from "../support/history.mjs";
import { wsMsgpack } from "../support/msgpack.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { LONG_TIMEOUT_MS, withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const CLIENT_TYPES = [
  socketIo("4.8", "websocket"),
  socketIo("4.8", "polling"),
  socketIo("2.5", "websocket"),
  socketIo("2.5", "polling"),
  wsJson,
  wsMsgpack,
];
/** 102 drains in all. */
const DRAINS_EACH = 17;
const CLIENTS_EACH = 5;
const IN_FLIGHT = 20;

for (const clientType of CLIENT_TYPES) {
  test(`closing and acknowledgements in ${DRAINS_EACH} drains, ${clientType.label}`, async (t) => {
    const server = await serverForThisTest(t);
    for (let n = 0; n < DRAINS_EACH; n += 1) await drainWhileSending(t, clientType, server);
  });
}

async function drainWhileSending(t, clientType, server) {
  const room = unique("room");
  const senders = [];
  for (let n = 0; n < CLIENTS_EACH; n += 1) senders.push(await newSender());
  for (const it of senders) it.start();
  await Promise.all(senders.map((it) => it.client.next("new message")));
  const ends = Promise.all(senders.map((it) => it.end()));
  const exit = server.exitOn("SIGTERM", LONG_TIMEOUT_MS);
  assert.deepEqual(await ends, Array(CLIENTS_EACH).fill("draining"));
  assert.equal((await exit).code, 0, server.log.join("\n"));
  for (const it of senders) await withTimeout("the end of the connection", it.client.closed);

  await server.start();
  const reader = await newSender();
  const stored = (await readHistory(reader.client, room)).map((it) => it.id);
  const acknowledged = senders.flatMap((it) => it.acknowledged);
  const lost = acknowledged.filter((it) => !stored.includes(it));
  const unacknowledged = stored.filter((it) => !acknowledged.includes(it));
  assert.deepEqual({ lost, unacknowledged }, { lost: [], unacknowledged: [] });
  await reader.client.close();

  async function newSender() {
    const client = await connect(t, clientType, server, { room });
    await client.identify(unique("sender"));
    return new Sender(client);
  }
}

/** A client that always has messages in flight, until the connection ends. */
class Sender {
  acknowledged = [];
  #isOpen = true;

  constructor(client) {
    this.client = client;
    client.closed.then(() => (this.#isOpen = false));
  }

  /** The code of `closing`, or what the client reports if the connection ends before. */
  end() {
    const { client } = this;
    return Promise.race([client.next("closing").then((it) => it.code), client.closed]);
  }

  start() {
    for (let n = 0; n < IN_FLIGHT; n += 1) this.#sendOne();
  }

  async #sendOne() {
    const id = unique("id");
    const answer = await this.client.request("send message", { msg: "x".repeat(1000), id });
    if (answer.code !== "draining") {
      assertOk(answer);
      this.acknowledged.push(id);
    }
    if (this.#isOpen) await this.#sendOne();
  }
}
