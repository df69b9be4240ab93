// Behind nginx, as docs/cluster.md shows it: what polling clients see when their node dies.

import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";

import { accepted, dense } from "../support/assert.mjs";
import { clusterForThisTest } from "../support/cluster.mjs";
import { unique } from "../support/names.mjs";
import { nginxForThisTest } from "../support/nginx.mjs";
import { within } from "../support/patience.mjs";
import { enrol } from "../support/people.mjs";
import { remembering, way } from "../support/socket.io.mjs";
import { epoch, signed } from "../support/tokens.mjs";
import { plain } from "../support/ws.mjs";

const PEOPLE = 12;
/** Said before, while and after the node dies. */
const MESSAGES = 100;

const polling = way("4.8", "polling");

test("a polling client whose node dies comes back once, and misses nothing", async (t) => {
  const cluster = await clusterForThisTest(t);
  const nginx = await nginxForThisTest(t, cluster.nodes);
  const room = unique("room");
  const ann = await enrol(t, plain, cluster.nodes[0], "ann", { room });
  const readers = await Promise.all(
    Array.from({ length: PEOPLE }, (_, n) => Reader.come(t, nginx, cluster.nodes[0], room, n)),
  );
  const names = await Promise.all(cluster.nodes.map((it) => nameOf(t, it)));
  const elsewhere = readers.filter(({ node }) => node !== names[0]);
  assert.notEqual(elsewhere.length, 0, "nginx sends everybody to one node");
  const victim = elsewhere[0].node;
  const hit = readers.filter(({ node }) => node === victim);

  await say(MESSAGES);
  const said = say(MESSAGES);
  await cluster.nodes[names.indexOf(victim)].kill9();
  await said;
  for (const it of hit) await it.until("a second welcome", () => it.welcomes === 2);
  await say(MESSAGES);
  for (const it of readers) {
    await it.until("the last message", () => it.seen.at(-1)?.seq === 3 * MESSAGES);
    dense(it.seen);
    assert.equal(it.welcomes, hit.includes(it) ? 2 : 1, "it came back more than once");
  }

  async function say(count) {
    const list = Array.from({ length: count }, (_, msg) => ({ room, msg }));
    for (const it of await ann.askAll("send message", list)) accepted(it);
  }
});

/** What a node calls itself. */
async function nameOf(t, node) {
  return (await enrol(t, plain, node, "asker")).welcome.node;
}

/** Somebody with an address of their own, who comes back by themselves. */
class Reader {
  seen = [];
  welcomes = 0;
  #look = () => {};
  #memory;

  static async come(t, nginx, server, room, n) {
    const reader = new Reader();
    const token = await signed(server, { sub: unique("reader"), exp: epoch(600) });
    const memory = { token, room, since: { [room]: 0 } };
    const agent = new http.Agent({ localAddress: `127.0.1.${n + 1}`, keepAlive: true });
    const { extra } = remembering(polling, memory);
    const client = await polling.connect(nginx, { ...memory, extra: { ...extra, agent } });
    t.after(() => client.close());
    reader.#memory = memory;
    client.inbox.listenFromStart((event, data) => reader.#hear(event, data));
    await reader.until("a welcome", () => reader.welcomes === 1);
    return reader;
  }

  /** Waits until it is so. */
  until(what, isSo) {
    const found = new Promise((resolve) => {
      this.#look = () => isSo() && resolve();
      this.#look();
    });
    return within(what, found);
  }

  #hear(event, data) {
    if (event === "welcome") {
      this.welcomes += 1;
      this.node = data.node;
      this.#memory.epoch = data.epoch;
    }
    if (event === "missed") this.#take(...data.messages);
    if (event === "new message") this.#take(data);
    this.#look();
  }

  #take(...messages) {
    this.seen.push(...messages);
    for (const { seq } of messages) this.#memory.since[this.#memory.room] = seq;
  }
}
