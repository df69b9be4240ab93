// Announcements get lost, and messages do not.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertConsecutive, assertOk } from "../support/assert.mjs";
import { clusterForThisTest } from "../support/cluster.mjs";
import { BUS_DISCONNECTED } from "../support/expected-log.mjs";
import { joinAsUser } from "../support/fixtures.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

/** The longest delay of a message: after Redis is back, and while it is down. */
const BACK_MS_MAX = 2000;
const DOWN_MS_MAX = 5000;

const LOSSES = 10;

test("announcements that were lost with a subscription are repaired", async (t) => {
  const { cluster, room, ann, others } = await quietRoom(t);
  for (let n = 0; n < LOSSES; n += 1) {
    await cluster.redis.endListeners();
    await received(await post(ann, room), others, BACK_MS_MAX);
  }
  await cluster.waitUntilReady();
});

test("the last message of a quiet room arrives when the node is connected again", async (t) => {
  const { cluster, room, ann, others } = await quietRoom(t);
  cluster.proxies[1].redis.cut();
  await cluster.waitUntilUnready(cluster.nodes[1]);
  const sent = await post(ann, room);
  cluster.proxies[1].redis.restore();
  await received(sent, others, BACK_MS_MAX);
  await cluster.waitUntilReady();
});

test("so does a direct message", async (t) => {
  const {
    cluster,
    ann,
    others: [bob],
  } = await quietRoom(t);
  cluster.proxies[1].redis.cut();
  await cluster.waitUntilUnready(cluster.nodes[1]);
  const { id } = assertOk(await ann.ask("SingleChat", { to: bob.name, data: "hello" }));
  cluster.proxies[1].redis.restore();
  await bob.next("SingleChat", (it) => it.id === id, BACK_MS_MAX);
  await cluster.waitUntilReady();
});

test("while Redis is down, messages arrive within seconds", async (t) => {
  const { cluster, room, ann, others } = await quietRoom(t);
  await cluster.redis.crash();
  for (let n = 0; n < 3; n += 1) await received(await post(ann, room), others, DOWN_MS_MAX);
  const { id } = assertOk(await ann.ask("SingleChat", { to: others[0].name, data: "hello" }));
  await others[0].next("SingleChat", (it) => it.id === id, DOWN_MS_MAX);
  await cluster.redis.startAgain();
  await received(await post(ann, room), others, BACK_MS_MAX);
  await cluster.waitUntilReady();
});

test("a node that missed hundreds of announcements delivers them in order", async (t) => {
  const { cluster, room, ann, others } = await quietRoom(t);
  cluster.proxies[1].redis.blackhole();
  const list = Array.from({ length: 400 }, (_, msg) => ({ room, msg }));
  for (const it of await ann.askAll("send message", list)) assertOk(it);
  cluster.proxies[1].redis.restore();
  for (const it of others) {
    const messages = await it.collect("new message", list.length);
    assertConsecutive(messages);
    assert.deepEqual(
      messages.map(({ msg }) => msg),
      list.map(({ msg }) => msg),
    );
  }
  await cluster.waitUntilReady();
});

/** A sender on one node, and receivers on another. */
async function quietRoom(t) {
  const cluster = await clusterForThisTest(t, {
    nodes: 2,
    proxies: true,
    expectedLog: BUS_DISCONNECTED,
  });
  const [one, two] = cluster.nodes;
  const room = unique("room");
  const ann = await joinAsUser(t, wsJson, one, "ann", { room });
  const others = [];
  for (const it of [wsJson, socketIo("4.8", "websocket"), socketIo("4.8", "polling")]) {
    others.push(await joinAsUser(t, it, two, "bob", { room }));
  }
  return { cluster, room, ann, others };
}

async function post(client, room) {
  return assertOk(await client.ask("send message", { room, msg: "hello" }));
}

/** Waits until all clients have received this message. */
function received({ id }, clients, timeoutMs) {
  const isThis = (it) => it.id === id;
  return Promise.all(clients.map((it) => it.next("new message", isThis, timeoutMs)));
}
