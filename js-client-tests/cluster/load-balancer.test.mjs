// Behind nginx, configured as in docs/cluster.md: polling clients whose node is killed.

import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";

import { assertConsecutive, assertOk } from "../support/assert.mjs";
import { clusterForThisTest } from "../support/cluster.mjs";
import { Conditions } from "../support/conditions.mjs";
import { joinAsUser } from "../support/fixtures.mjs";
import { nginxForThisTest } from "../support/nginx.mjs";
import { reconnectOptions, socketIo } from "../support/socket.io.mjs";
import { epochSeconds, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const CLIENTS = 12;
/** Posted before, while and after the node is killed. */
const MESSAGES = 100;

const polling = socketIo("4.8", "polling");

test("a polling client whose node is killed reconnects once, and misses nothing", async (t) => {
  const cluster = await clusterForThisTest(t);
  const nginx = await nginxForThisTest(t, cluster.nodes);
  const room = unique("room");
  const ann = await joinAsUser(t, wsJson, cluster.nodes[0], "ann", { room });
  const readers = await Promise.all(
    Array.from({ length: CLIENTS }, (_, n) => Reader.connect(t, nginx, cluster.nodes[0], room, n)),
  );
  const names = await Promise.all(cluster.nodes.map((it) => nameOf(t, it)));
  const otherReaders = readers.filter(({ node }) => node !== names[0]);
  assert.notEqual(otherReaders.length, 0, "nginx sends all clients to one node");
  const victim = otherReaders[0].node;
  const hit = readers.filter(({ node }) => node === victim);

  await post(MESSAGES);
  const sent = post(MESSAGES);
  await cluster.nodes[names.indexOf(victim)].kill9();
  await sent;
  for (const it of hit) await it.until("a second welcome", () => it.welcomes === 2);
  await post(MESSAGES);
  for (const it of readers) {
    await it.until("the last message", () => it.seen.at(-1)?.seq === 3 * MESSAGES);
    assertConsecutive(it.seen);
    assert.equal(it.welcomes, hit.includes(it) ? 2 : 1, "it reconnected more than once");
  }

  async function post(count) {
    const list = Array.from({ length: count }, (_, msg) => ({ room, msg }));
    for (const it of await ann.askAll("send message", list)) assertOk(it);
  }
});

/** The id of a node. */
async function nameOf(t, node) {
  return (await joinAsUser(t, wsJson, node, "observer")).welcome.node;
}

/** A client with its own source address, which reconnects by itself. */
class Reader {
  seen = [];
  welcomes = 0;
  #conditions = new Conditions();
  #handshake;

  static async connect(t, nginx, server, room, n) {
    const reader = new Reader();
    const token = await signToken(server, { sub: unique("reader"), exp: epochSeconds(600) });
    const handshake = { token, room, since: { [room]: 0 } };
    const agent = new http.Agent({ localAddress: `127.0.1.${n + 1}`, keepAlive: true });
    const { extra } = reconnectOptions(polling, handshake);
    const client = await polling.connect(nginx, { ...handshake, extra: { ...extra, agent } });
    t.after(() => client.close());
    reader.#handshake = handshake;
    client.events.listenFromStart((event, data) => reader.#onEvent(event, data));
    await reader.until("a welcome", () => reader.welcomes === 1);
    return reader;
  }

  /** Waits until `condition` holds. */
  until(what, condition) {
    return this.#conditions.until(what, condition);
  }

  #onEvent(event, data) {
    if (event === "welcome") {
      this.welcomes += 1;
      this.node = data.node;
      this.#handshake.epoch = data.epoch;
    }
    if (event === "missed") this.#take(...data.messages);
    if (event === "new message") this.#take(data);
    this.#conditions.notify();
  }

  #take(...messages) {
    this.seen.push(...messages);
    for (const { seq } of messages) this.#handshake.since[this.#handshake.room] = seq;
  }
}
