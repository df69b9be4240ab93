// kill -9 in the middle of a stream: what was acknowledged is stored, once.

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, dense } from "../support/assert.mjs";
import { everything } from "../support/history.mjs";
import { unique } from "../support/names.mjs";
import { LONG_PATIENCE, within } from "../support/patience.mjs";
import { arrive, comeBack } from "../support/people.mjs";
import { Server } from "../support/server.mjs";
import { way } from "../support/socket.io.mjs";
import { plain } from "../support/ws.mjs";

const TURNS = 20;
const ANSWERS_EACH_TURN = 150;
const WAYS = [way("4.8", "websocket"), way("4.8", "polling"), way("2.5", "upgrade"), plain, plain];

test(`every acknowledged message survives ${TURNS} kills, once and in its place`, async (t) => {
  const server = await new Server().start();
  t.after(() => server.stop());
  const room = unique("room");
  const people = await Promise.all(WAYS.map((way) => newcomer(way)));
  let checked = 0;
  for (let turn = 0; turn < TURNS; turn += 1) {
    const streams = people.map((it) => it.speak());
    await within("answers before the kill", enoughAnswers(people), LONG_PATIENCE);
    await server.kill9();
    for (const it of people) it.hush();
    await Promise.all(streams);
    await server.start();
    for (const it of people) await it.comeBack();
    await check(turn);
  }

  /** Somebody who keeps talking, and keeps book of what was acknowledged. */
  async function newcomer(way) {
    const client = await arrive(t, way, server, { room });
    await client.identify(unique("one"));
    const { token } = client;
    return new Speaker(client, () => comeBack(t, way, server, token, { room }));
  }

  /** Reads what was stored since the last time, and compares it with everybody's book. */
  async function check(turn) {
    const stored = await everything(people[0].client, room, checked);
    dense(stored, checked + 1);
    const byId = new Map(stored.map((message) => [message.id, message]));
    assert.equal(byId.size, stored.length, "an id is stored twice");
    for (const it of people) {
      for (const [id, { seq, at }] of it.acknowledged) {
        const message = byId.get(id);
        assert.ok(message, `turn ${turn}: acknowledged and lost: ${id}, seq ${seq}`);
        assert.deepEqual([message.seq, message.at, message.username], [seq, at, it.client.name]);
      }
      await repeat(it, byId);
    }
    const after = await everything(people[0].client, room, checked);
    assert.deepEqual(after.slice(0, stored.length), stored, "history has changed");
    checked += after.length;
  }

  /** Everything sent is sent again: what is stored is a duplicate, what is not is new. */
  async function repeat(it, byId) {
    const sent = [...it.sent];
    const answers = await it.client.askAll("send message", sent, LONG_PATIENCE);
    answers.forEach((answer, at) => {
      const stored = byId.get(sent[at].id);
      assert.equal(accepted(answer).duplicate, stored && true, sent[at].id);
      if (stored) assert.deepEqual([answer.seq, answer.at], [stored.seq, stored.at]);
    });
    it.forget();
  }
});

class Speaker {
  /** What was sent since the last check, and the answers that came. */
  sent = [];
  acknowledged = new Map();
  #talking = false;
  #return;

  constructor(client, comeBack) {
    this.client = client;
    this.#return = comeBack;
  }

  /** Sends, ten at a time, until hushed. */
  async speak() {
    this.#talking = true;
    this.client.gone.then(() => (this.#talking = false));
    while (this.#talking) {
      const batch = Array.from({ length: 10 }, () => this.#say());
      await Promise.race([Promise.all(batch), this.client.gone]);
    }
  }

  hush() {
    this.#talking = false;
    this.client.close();
  }

  async comeBack() {
    this.client = await this.#return();
  }

  forget() {
    this.sent = [];
    this.acknowledged.clear();
  }

  async #say() {
    const message = { msg: { n: this.sent.length, text: "x".repeat(100) }, id: unique("id") };
    this.sent.push(message);
    const answer = await this.client.request("send message", message);
    this.acknowledged.set(message.id, accepted(answer));
  }
}

/** Waits until enough was acknowledged in this turn, and everybody had an answer. */
async function enoughAnswers(people) {
  const counts = () => people.map((it) => it.acknowledged.size);
  const enough = () =>
    counts().every((it) => 0 < it) && ANSWERS_EACH_TURN <= counts().reduce((a, b) => a + b);
  while (!enough()) await people[0].client.next("new message");
}
