// A minute of a stream, and readers who lose their connection every second: they lose nothing else.

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, dense } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { LONG_PATIENCE, within } from "../support/patience.mjs";
import { enter } from "../support/people.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { remembering, way } from "../support/socket.io.mjs";
import { every } from "../support/ticks.mjs";
import { epoch, SECRET, signed } from "../support/tokens.mjs";
import { plain } from "../support/ws.mjs";

const SECONDS = 60;
const EACH_SECOND = 200;
const COUNT = SECONDS * EACH_SECOND;
const TICK_MS = 20;

const MESSAGES = ["new message", "GroupChat"];

const server = serverForThisFile({ settings: { "token.secret": SECRET } });

test(`${EACH_SECOND} messages a second reach readers who come back every second`, async (t) => {
  const room = unique("room");
  const speakers = [
    await enter(t, plain, server, "speaker", { room }),
    await enter(t, way("4.8", "websocket"), server, "speaker", { room }),
  ];
  const readers = [];
  for (const it of [way("4.8", "websocket"), way("4.8", "polling"), plain]) {
    readers.push(await Reader.enter(t, it, room));
  }
  const [answers] = await Promise.all([speak(speakers, room), ...readers.map((it) => it.roam())]);
  const ids = inPlaces(answers);
  for (const it of readers) {
    await it.until(COUNT);
    assert.deepEqual(it.complaints, [], it.way.label);
    dense(it.seen);
    assert.deepEqual(
      it.seen.map(({ id }) => id),
      ids,
      it.way.label,
    );
  }
});

/** Says `EACH_SECOND` messages in each second, in turns; answers what was answered. */
async function speak(speakers, room) {
  const answers = [];
  const begin = performance.now();
  for await (const _ of every(TICK_MS)) {
    const due = Math.floor(((performance.now() - begin) * EACH_SECOND) / 1000);
    while (answers.length < Math.min(due, COUNT)) {
      const n = answers.length;
      const [event, body] = n % 2 === 0 ? ["send message", { msg: n }] : ["GroupChat", { data: n }];
      answers.push(speakers[(n >> 1) % speakers.length].request(event, { room, ...body }));
    }
    if (answers.length === COUNT) break;
  }
  return within(`${COUNT} answers`, Promise.all(answers), LONG_PATIENCE);
}

/** The ids that were acknowledged, each in its place. */
function inPlaces(answers) {
  answers.forEach(accepted);
  const sorted = answers.toSorted((a, b) => a.seq - b.seq);
  dense(sorted);
  return sorted.map(({ id }) => id);
}

/** Somebody who reads, and loses the connection again and again. */
class Reader {
  seen = [];
  complaints = [];
  #t;
  #client;
  #memory;
  #look = () => {};

  static async enter(t, way, room) {
    const reader = new Reader();
    const token = await signed(server, { sub: unique("reader"), exp: epoch(600) });
    Object.assign(reader, { way, room });
    reader.#t = t;
    reader.#memory = { token, room, since: { [room]: 0 } };
    await reader.#connect();
    return reader;
  }

  /** Loses the connection in every second, and comes back each time. */
  async roam() {
    let turns = 0;
    for await (const _ of every(1000)) {
      await this.#loseAndReturn();
      turns += 1;
      if (turns === SECONDS) break;
    }
  }

  /** Waits until so many messages were heard, whichever they are. */
  until(count) {
    const all = new Promise((resolve) => {
      this.#look = () => count <= this.seen.length && resolve();
      this.#look();
    });
    return within(`message ${count} of ${this.way.label}, after ${this.seen.length}`, all);
  }

  /** The official client comes back by itself; of plain ones everybody writes their own. */
  async #loseAndReturn() {
    if (this.way.wire === "ws") {
      this.#client.inbox.listen(() => {}); // what is still on its way to the old one is not read
      this.#client.vanish();
      return this.#connect();
    }
    const { ws } = this.#client.engine.transport;
    if (ws) ws.terminate();
    else this.#client.vanish();
    await this.#client.next("welcome");
  }

  async #connect() {
    const memory = this.#memory;
    const byItself = this.way.wire === "ws" ? {} : remembering(this.way, memory);
    this.#client = await this.way.connect(server, { ...memory, ...byItself });
    this.#t.after(() => this.#client.close());
    this.#client.inbox.listenFromStart((event, data) => this.#hear(event, data));
    await this.#client.welcomed(memory.token);
    memory.epoch = this.#client.welcome.epoch;
  }

  #hear(event, data) {
    if (event === "closing" || event === "error message") this.complaints.push({ event, ...data });
    const isMissed = event === "missed" && data.room === this.room;
    if (isMissed && !data.recovered) this.complaints.push({ event, ...data });
    const heard = isMissed ? data.messages : MESSAGES.includes(event) ? [data] : [];
    if (heard.length === 0) return;
    this.seen.push(...heard);
    this.#memory.since[this.room] = heard.at(-1).seq;
    this.#look();
  }
}
