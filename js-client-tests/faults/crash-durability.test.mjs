// kill -9 during a stream of messages: every acknowledged message is stored, once.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertConsecutive, assertOk } from "../support/assert.mjs";
import { connect, connectWithToken } from "../support/fixtures.mjs";
import { readHistory } from "../support/history.mjs";
import { Server } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { LONG_TIMEOUT_MS, withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const TURNS = 20;
const ANSWERS_EACH_TURN = 150;
const CLIENT_TYPES = [
  socketIo("4.8", "websocket"),
  socketIo("4.8", "polling"),
  socketIo("2.5", "upgrade"),
  wsJson,
  wsJson,
];

test(`every acknowledged message survives ${TURNS} kills, once and in its position`, async (t) => {
  const server = await new Server().start();
  t.after(() => server.stop());
  const room = unique("room");
  const clients = await Promise.all(CLIENT_TYPES.map((clientType) => newcomer(clientType)));
  let checked = 0;
  for (let turn = 0; turn < TURNS; turn += 1) {
    const streams = clients.map((it) => it.run());
    await withTimeout("acknowledgements before the kill", enoughAnswers(clients), LONG_TIMEOUT_MS);
    await server.kill9();
    for (const it of clients) it.stop();
    await Promise.all(streams);
    await server.start();
    for (const it of clients) await it.reconnect();
    await check(turn);
  }

  /** A sender that records what was acknowledged. */
  async function newcomer(clientType) {
    const client = await connect(t, clientType, server, { room });
    await client.identify(unique("one"));
    const { token } = client;
    return new Sender(client, () => connectWithToken(t, clientType, server, token, { room }));
  }

  /** Reads what was stored since the last check, and compares it with all acknowledgements. */
  async function check(turn) {
    const stored = await readHistory(clients[0].client, room, checked);
    assertConsecutive(stored, checked + 1);
    const byId = new Map(stored.map((message) => [message.id, message]));
    assert.equal(byId.size, stored.length, "an id is stored twice");
    for (const it of clients) {
      for (const [id, { seq, at }] of it.acknowledged) {
        const message = byId.get(id);
        assert.ok(message, `turn ${turn}: acknowledged but not stored: ${id}, seq ${seq}`);
        assert.deepEqual([message.seq, message.at, message.username], [seq, at, it.client.name]);
      }
      await repeat(it, byId);
    }
    const after = await readHistory(clients[0].client, room, checked);
    assert.deepEqual(after.slice(0, stored.length), stored, "history has changed");
    checked += after.length;
  }

  /** Sends everything again: stored messages are duplicates, others are new. */
  async function repeat(it, byId) {
    const sent = [...it.sent];
    const answers = await it.client.askAll("send message", sent, LONG_TIMEOUT_MS);
    answers.forEach((answer, at) => {
      const stored = byId.get(sent[at].id);
      assert.equal(assertOk(answer).duplicate, stored && true, sent[at].id);
      if (stored) assert.deepEqual([answer.seq, answer.at], [stored.seq, stored.at]);
    });
    it.forget();
  }
});

class Sender {
  /** What was sent since the last check, and the acknowledgements. */
  sent = [];
  acknowledged = new Map();
  #isPosting = false;
  #return;

  constructor(client, reconnect) {
    this.client = client;
    this.#return = reconnect;
  }

  /** Sends, ten messages at a time, until stopped. */
  async run() {
    this.#isPosting = true;
    this.client.closed.then(() => (this.#isPosting = false));
    while (this.#isPosting) {
      const batch = Array.from({ length: 10 }, () => this.#post());
      await Promise.race([Promise.all(batch), this.client.closed]);
    }
  }

  stop() {
    this.#isPosting = false;
    this.client.close();
  }

  async reconnect() {
    this.client = await this.#return();
  }

  forget() {
    this.sent = [];
    this.acknowledged.clear();
  }

  async #post() {
    const message = { msg: { n: this.sent.length, text: "x".repeat(100) }, id: unique("id") };
    this.sent.push(message);
    const answer = await this.client.request("send message", message);
    this.acknowledged.set(message.id, assertOk(answer));
  }
}

/** Waits until enough messages were acknowledged in this turn, and at least one of each sender. */
async function enoughAnswers(clients) {
  const counts = () => clients.map((it) => it.acknowledged.size);
  const enough = () =>
    counts().every((it) => 0 < it) && ANSWERS_EACH_TURN <= counts().reduce((a, b) => a + b);
  while (!enough()) await clients[0].client.next("new message");
}
