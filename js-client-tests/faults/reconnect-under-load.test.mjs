// A minute of load, and readers that lose their connection every second: they miss no message.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertConsecutive, assertOk } from "../support/assert.mjs";
import { Conditions } from "../support/conditions.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { reconnectOptions, socketIo } from "../support/socket.io.mjs";
import { LONG_TIMEOUT_MS, withTimeout } from "../support/timeouts.mjs";
import { interval } from "../support/timers.mjs";
import { epochSeconds, SECRET, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const SECONDS = 60;
const EACH_SECOND = 200;
const COUNT = SECONDS * EACH_SECOND;
const TICK_MS = 20;

const MESSAGES = ["new message", "GroupChat"];

const server = serverForThisFile({ settings: { "token.secret": SECRET } });

test(`${EACH_SECOND} messages per second reach readers that reconnect every second`, async (t) => {
  const room = unique("room");
  const senders = [
    await joinAsGuest(t, wsJson, server, "speaker", { room }),
    await joinAsGuest(t, socketIo("4.8", "websocket"), server, "speaker", { room }),
  ];
  const readers = [];
  for (const it of [socketIo("4.8", "websocket"), socketIo("4.8", "polling"), wsJson]) {
    readers.push(await Reader.enter(t, it, room));
  }
  const [answers] = await Promise.all([
    postAtRate(senders, room),
    ...readers.map((it) => it.dropRepeatedly()),
  ]);
  const ids = idsInOrder(answers);
  for (const it of readers) {
    await it.until(COUNT);
    assert.deepEqual(it.violations, [], it.clientType.label);
    assertConsecutive(it.seen);
    assert.deepEqual(
      it.seen.map(({ id }) => id),
      ids,
      it.clientType.label,
    );
  }
});

/** Posts `EACH_SECOND` messages per second, senders taking turns; returns the acknowledgements. */
async function postAtRate(senders, room) {
  const answers = [];
  const begin = performance.now();
  for await (const _ of interval(TICK_MS)) {
    const due = Math.floor(((performance.now() - begin) * EACH_SECOND) / 1000);
    while (answers.length < Math.min(due, COUNT)) {
      const n = answers.length;
      const [event, body] = n % 2 === 0 ? ["send message", { msg: n }] : ["GroupChat", { data: n }];
      answers.push(senders[(n >> 1) % senders.length].request(event, { room, ...body }));
    }
    if (answers.length === COUNT) break;
  }
  return withTimeout(`${COUNT} answers`, Promise.all(answers), LONG_TIMEOUT_MS);
}

/** The acknowledged ids in the order of the log. */
function idsInOrder(answers) {
  answers.forEach(assertOk);
  const sorted = answers.toSorted((a, b) => a.seq - b.seq);
  assertConsecutive(sorted);
  return sorted.map(({ id }) => id);
}

/** A client that reads, and drops its connection repeatedly. */
class Reader {
  seen = [];
  violations = [];
  #t;
  #client;
  #handshake;
  #conditions = new Conditions();

  static async enter(t, clientType, room) {
    const reader = new Reader();
    const token = await signToken(server, { sub: unique("reader"), exp: epochSeconds(600) });
    Object.assign(reader, { clientType, room });
    reader.#t = t;
    reader.#handshake = { token, room, since: { [room]: 0 } };
    await reader.#connect();
    return reader;
  }

  /** Drops the connection every second, and reconnects each time. */
  async dropRepeatedly() {
    let turns = 0;
    for await (const _ of interval(1000)) {
      await this.#reconnect();
      turns += 1;
      if (turns === SECONDS) break;
    }
  }

  /** Waits until `count` messages were received. */
  until(count) {
    const what = `message ${count} of ${this.clientType.label}, after ${this.seen.length}`;
    return this.#conditions.until(what, () => count <= this.seen.length);
  }

  /** The official client reconnects by itself; plain WebSocket needs a new connection. */
  async #reconnect() {
    if (this.clientType.wire === "ws") {
      this.#client.events.listen(() => {}); // events in flight to the old connection are not read
      this.#client.drop();
      return this.#connect();
    }
    const { ws } = this.#client.engine.transport;
    if (ws) ws.terminate();
    else this.#client.drop();
    await this.#client.next("welcome");
  }

  async #connect() {
    const handshake = this.#handshake;
    const byItself =
      this.clientType.wire === "ws" ? {} : reconnectOptions(this.clientType, handshake);
    this.#client = await this.clientType.connect(server, { ...handshake, ...byItself });
    this.#t.after(() => this.#client.close());
    this.#client.events.listenFromStart((event, data) => this.#onEvent(event, data));
    await this.#client.waitForWelcome(handshake.token);
    handshake.epoch = this.#client.welcome.epoch;
  }

  #onEvent(event, data) {
    if (event === "closing" || event === "error message") this.violations.push({ event, ...data });
    const isMissed = event === "missed" && data.room === this.room;
    if (isMissed && !data.recovered) this.violations.push({ event, ...data });
    const received = isMissed ? data.messages : MESSAGES.includes(event) ? [data] : [];
    if (received.length === 0) return;
    this.seen.push(...received);
    this.#handshake.since[this.room] = received.at(-1).seq;
    this.#conditions.notify();
  }
}
