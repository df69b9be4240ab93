// `@socket.io/redis-emitter` as it is published, with clients on two nodes. docs/api.md "Through
// Redis".

import assert from "node:assert/strict";
import { test } from "node:test";

import { Emitter } from "@socket.io/redis-emitter";
import { createClient } from "redis";

import { assertClosedForGood } from "../support/assert.mjs";
import { clusterForThisFile, clusterForThisTest } from "../support/cluster.mjs";
import { BUS_DISCONNECTED } from "../support/expected-log.mjs";
import { connectAnonymously, joinAsUser } from "../support/fixtures.mjs";
import { RedisCluster } from "../support/redis.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

const BYTES = Buffer.from([0, 1, 254, 255]);
const AT = new Date(1_700_000_000_123);
const READY = /redis pattern subscription (active|restored)/;

const cluster = clusterForThisFile({
  nodes: 2,
  settings: { emitter: "socket.io", spaces: ["/shop"] },
  expectedLog: BUS_DISCONNECTED,
});

test("an event reaches each connection of its rooms once", async (t) => {
  const { emitter, rooms, bob, all } = await audience(t);
  const { shared, own, anonymous } = rooms;
  const address = `${bob.welcome.node}.${bob.welcome.connection}`;
  const received = receivedBy(emitter, all);
  for (const [target, ...receivers] of [
    [emitter, "ann", "bob", "eve"],
    [emitter.to(shared), "ann", "bob"],
    [emitter.in([shared, own]).to(shared), "ann", "bob"],
    [emitter.to(shared).to(anonymous), "ann", "bob", "eve"],
    [emitter.to(own), "ann"],
    [emitter.to(anonymous), "eve"],
    [emitter.except(own), "bob", "eve"],
    [emitter.to(shared).except([own, unique("empty")]), "bob"],
    [emitter.to(address), "bob"],
    [emitter.except(address), "ann", "eve"],
    [emitter.to(unique("empty"))],
    [emitter.volatile.to(shared), "ann", "bob"],
    [emitter.compress(true).to(shared), "ann", "bob"],
    [emitter.of("/shop")],
  ]) {
    target.emit("x");
    assert.deepEqual(await received(), receivers);
  }
});

test("arguments arrive as with the official adapter", async (t) => {
  const { emitter, ann, bob, eve } = await audience(t);
  const args = [1, "two", null, { deep: [true, 0.5, -7, 2 ** 40, "ü"] }, Number.NaN, undefined];
  emitter.emit("x", ...args, { at: AT }, BYTES);
  const json = [1, "two", null, { deep: [true, 0.5, -7, 2 ** 40, "ü"] }, null, null];
  const expected = [...json, { at: AT.toISOString() }];
  assert.deepEqual(await ann.next("x"), [...expected, { base64: BYTES.toString("base64") }]);
  for (const it of [bob, eve]) {
    const bytes = it.clientType.legacy ? BYTES : Buffer.from(BYTES);
    assert.deepEqual(await it.next("x"), [...expected, bytes]);
  }
});

test("another namespace is reached by itself", async (t) => {
  const { emitter, all } = await audience(t);
  const inShop = await joinAsUser(t, socketIo("4.8", "websocket"), cluster.nodes[0], "shopper", {
    space: "/shop",
  });
  inShop.listenTo("x", "end");
  emitter.of("shop").emit("x", 1);
  assert.deepEqual(await inShop.next("x"), [1]);
  assert.deepEqual(await receivedBy(emitter, all)(), []);
});

test("`socketsJoin` adds connections to a room until `socketsLeave`", async (t) => {
  const { emitter, rooms, bob, all } = await audience(t);
  const received = receivedBy(emitter, all);
  const [game, other] = [unique("game"), unique("other")];
  emitter.in(rooms.shared).except(rooms.own).socketsJoin([game, other]);
  emitter.in(rooms.anonymous).socketsJoin(game);
  emitter.to(game).to(other).emit("x");
  assert.deepEqual(await received(), ["bob", "eve"]);
  assert.deepEqual((await bob.ask("history", { room: game })).code, "not_member");
  emitter.in(game).except(rooms.anonymous).socketsLeave(game);
  emitter.to(game).emit("x");
  assert.deepEqual(await received(), ["eve"]);
  emitter.in(rooms.own).socketsLeave(rooms.own);
  emitter.to(rooms.own).emit("x");
  assert.deepEqual(await received(), ["ann"], "a membership is not the emitter's to end");
});

test("`disconnectSockets` closes connections for good", async (t) => {
  const { emitter, rooms, ann, bob, eve } = await audience(t);
  emitter.in(rooms.shared).except(rooms.own).disconnectSockets();
  await assertClosedForGood(bob, "disconnected", 4503);
  emitter.in(rooms.own).disconnectSockets(true);
  await assertClosedForGood(ann, "disconnected", 4503);
  emitter.emit("x", 1);
  assert.deepEqual(await eve.next("x"), [1]);
});

test("events of the protocol, and what no server understands, have no effect", async (t) => {
  const { emitter, publisher, all } = await audience(t);
  const received = receivedBy(emitter, all, ["new message", "closing"]);
  emitter.emit("new message", { msg: "forged" });
  emitter.emit("closing", { code: "forged" });
  emitter.emit("x", "y".repeat(600_000));
  emitter.emit("x", ...Array.from({ length: 11 }, () => BYTES));
  emitter.serverSideEmit("x", 1);
  for (const channel of ["socket.io#/#", "socket.io-request#/#", "socket.io#/x", "socket.io#/"]) {
    for (const payload of ["", "x", "{", "[]", '{"type":4}', "\x93\x01\x02\x03", "{".repeat(1e5)]) {
      await publisher.publish(channel, payload);
    }
  }
  assert.deepEqual(await received(), []);
});

test("the subscription is restored after Redis ends its connections", async (t) => {
  const { emitter, all } = await audience(t);
  const before = cluster.nodes.map((it) => it.log.length);
  await cluster.redis.endListeners();
  await Promise.all(cluster.nodes.map((it, at) => subscribed(it, before[at])));
  emitter.emit("x");
  assert.deepEqual(await receivedBy(emitter, all)(), ["ann", "bob", "eve"]);
});

test("any server of a Redis Cluster carries what emitters publish", async (t) => {
  const redis = new RedisCluster();
  const { nodes } = await clusterForThisTest(t, { nodes: 1, redis, settings: { emitter: "shop" } });
  await subscribed(nodes[0]);
  const ann = await joinAsUser(t, wsJson, nodes[0], "ann");
  for (const url of redis.url) {
    const publisher = await publisherAt(url);
    new Emitter(publisher, { key: "shop" }).to("lobby").emit("x", url);
    assert.deepEqual(await ann.next("x"), [url]);
    await publisher.close();
  }
});

/**
 * Three connections in all: `ann` on the first node is in the rooms `shared` and `own`, `bob` on the
 * second in `shared`, and `eve`, who has no name, has the default room `anonymous`.
 */
async function audience(t) {
  await Promise.all(cluster.nodes.map((it) => subscribed(it)));
  const publisher = await publisherAt(cluster.redis.url);
  t.after(() => publisher.close());
  const rooms = {
    shared: unique("shared"),
    own: unique("own"),
    anonymous: unique("anonymous"),
  };
  const [one, other] = cluster.nodes;
  const ann = await joinAsUser(t, wsJson, one, "ann", { room: rooms.shared });
  await ann.ask("join", rooms.own);
  const bob = await joinAsUser(t, socketIo("4.8", "websocket"), other, "bob", {
    room: rooms.shared,
  });
  const eve = await connectAnonymously(t, socketIo("2.5", "polling"), other, {
    room: rooms.anonymous,
  });
  const all = { ann, bob, eve };
  for (const it of Object.values(all)) it.listenTo("x", "end");
  return { emitter: new Emitter(publisher), publisher, rooms, ann, bob, eve, all };
}

/** A client of Redis, as back ends have one. */
function publisherAt(url) {
  return createClient({ url }).connect();
}

/** A function that returns which clients have received an event, once for each time. */
function receivedBy(emitter, clients, events = []) {
  return async () => {
    const end = unique("end");
    emitter.emit("end", end);
    await Promise.all(Object.values(clients).map((it) => it.next("end", ([it]) => it === end)));
    const names = ["x", ...events];
    return Object.entries(clients).flatMap(([client, it]) =>
      names.flatMap((name) => it.take(name)).map(() => client),
    );
  };
}

/** Waits until a node receives what emitters publish. */
function subscribed(node, from = 0) {
  return waitUntil("the subscription", () => node.log.slice(from).some((it) => READY.test(it)));
}
