// Announcements get lost, and messages do not.

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, dense } from "../support/assert.mjs";
import { clusterForThisTest } from "../support/cluster.mjs";
import { DEAF } from "../support/complaints.mjs";
import { unique } from "../support/names.mjs";
import { enrol } from "../support/people.mjs";
import { way } from "../support/socket.io.mjs";
import { plain } from "../support/ws.mjs";

/** How late a message may be: after Redis is back, and while it is down altogether. */
const BACK_MS_MAX = 2000;
const DOWN_MS_MAX = 5000;

const LOSSES = 10;

test("what nobody was told because Redis threw the listeners out comes all the same", async (t) => {
  const { cluster, room, ann, others } = await quietRoom(t);
  for (let n = 0; n < LOSSES; n += 1) {
    await cluster.redis.endListeners();
    await heard(await say(ann, room), others, BACK_MS_MAX);
  }
  await cluster.ready();
});

test("the last message of a quiet room comes when a node hears again", async (t) => {
  const { cluster, room, ann, others } = await quietRoom(t);
  cluster.links[1].redis.cut();
  await cluster.unready(cluster.nodes[1]);
  const said = await say(ann, room);
  cluster.links[1].redis.heal();
  await heard(said, others, BACK_MS_MAX);
  await cluster.ready();
});

test("so does a direct message", async (t) => {
  const {
    cluster,
    ann,
    others: [bob],
  } = await quietRoom(t);
  cluster.links[1].redis.cut();
  await cluster.unready(cluster.nodes[1]);
  const { id } = accepted(await ann.ask("SingleChat", { to: bob.name, data: "hello" }));
  cluster.links[1].redis.heal();
  await bob.next("SingleChat", (it) => it.id === id, BACK_MS_MAX);
  await cluster.ready();
});

test("while Redis is down, messages come within seconds", async (t) => {
  const { cluster, room, ann, others } = await quietRoom(t);
  await cluster.redis.crash();
  for (let n = 0; n < 3; n += 1) await heard(await say(ann, room), others, DOWN_MS_MAX);
  const { id } = accepted(await ann.ask("SingleChat", { to: others[0].name, data: "hello" }));
  await others[0].next("SingleChat", (it) => it.id === id, DOWN_MS_MAX);
  await cluster.redis.comeBack();
  await heard(await say(ann, room), others, BACK_MS_MAX);
  await cluster.ready();
});

test("a node that was deaf while hundreds were said has them in order", async (t) => {
  const { cluster, room, ann, others } = await quietRoom(t);
  cluster.links[1].redis.swallow();
  const list = Array.from({ length: 400 }, (_, msg) => ({ room, msg }));
  for (const it of await ann.askAll("send message", list)) accepted(it);
  cluster.links[1].redis.heal();
  for (const it of others) {
    const messages = await it.collect("new message", list.length);
    dense(messages);
    assert.deepEqual(
      messages.map(({ msg }) => msg),
      list.map(({ msg }) => msg),
    );
  }
  await cluster.ready();
});

/** Ann on one node, and others on another. */
async function quietRoom(t) {
  const cluster = await clusterForThisTest(t, { nodes: 2, links: true, complaints: DEAF });
  const [one, two] = cluster.nodes;
  const room = unique("room");
  const ann = await enrol(t, plain, one, "ann", { room });
  const others = [];
  for (const it of [plain, way("4.8", "websocket"), way("4.8", "polling")]) {
    others.push(await enrol(t, it, two, "bob", { room }));
  }
  return { cluster, room, ann, others };
}

async function say(client, room) {
  return accepted(await client.ask("send message", { room, msg: "hello" }));
}

/** Waits until everybody has heard what was said. */
function heard({ id }, people, patience) {
  const isThis = (it) => it.id === id;
  return Promise.all(people.map((it) => it.next("new message", isThis, patience)));
}
