// Presence when nodes are killed or disconnected, and when users move between nodes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertSameNames } from "../support/assert.mjs";
import { clusterForThisTest } from "../support/cluster.mjs";
import { BUS_DISCONNECTED, STORE_UNAVAILABLE } from "../support/expected-log.mjs";
import { barrier, connectWithToken, joinAsUser } from "../support/fixtures.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { LONG_TIMEOUT_MS } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

/** How long users of a killed node may appear online. */
const GONE_MS_MAX = 15_000;

const CLIENT_TYPES = [wsJson, socketIo("4.8", "websocket"), socketIo("4.8", "polling")];

test("users of a killed node are offline within 15 seconds, except those who moved", async (t) => {
  const cluster = await clusterForThisTest(t);
  const [one, two, three] = cluster.nodes;
  const room = unique("room");
  const watchers = [];
  for (const node of [two, three]) {
    for (const it of CLIENT_TYPES)
      watchers.push(await joinAsUser(t, it, node, "watcher", { room }));
  }
  const lost = [];
  for (const it of CLIENT_TYPES) lost.push(await joinAsUser(t, it, one, "lost", { room }));
  const moving = [];
  for (const it of CLIENT_TYPES) moving.push(await joinAsUser(t, it, one, "moving", { room }));
  await Promise.all(watchers.map((it) => joined(it, ...lost, ...moving)));

  await one.kill9();
  const moved = [];
  for (const { clientType, token } of moving.map((it, at) => ({
    clientType: CLIENT_TYPES[at],
    token: it.token,
  }))) {
    moved.push(await connectWithToken(t, clientType, two, token, { room }));
  }
  await Promise.all(
    watchers.map(async (it) => {
      const left = await it.collect("user left", lost.length, GONE_MS_MAX);
      assertSameNames(
        left.map(({ user }) => user),
        lost.map(({ name }) => name),
      );
    }),
  );
  await barrier(watchers[0], room, ...watchers, ...moved);
  const here = [...watchers, ...moved].map(({ name }) => name);
  for (const it of watchers) {
    assert.deepEqual(it.take("user left"), [], "a user left twice, or left although they moved");
    assertSameNames(assertOk(await it.ask("GroupList", { room })).users, here);
  }
  for (const it of moving) {
    assert.deepEqual(
      watchers.flatMap((watcher) => watcher.take("user joined").filter(by(it))),
      [],
    );
  }
});

test("users of a stopped node are offline unless they reconnect", async (t) => {
  const cluster = await clusterForThisTest(t);
  const [one, two, three] = cluster.nodes;
  const room = unique("room");
  const watchers = [];
  for (const node of [two, three])
    watchers.push(await joinAsUser(t, wsJson, node, "watcher", { room }));
  const lost = await joinAsUser(t, wsJson, one, "lost", { room });
  const moving = await joinAsUser(t, wsJson, one, "moving", { room });
  await Promise.all(watchers.map((it) => joined(it, lost, moving)));
  const left = one.exitOn("SIGTERM");
  await moving.next("closing");
  const moved = await connectWithToken(t, wsJson, three, moving.token, { room });
  await left;
  for (const it of watchers) await it.next("user left", by(lost), GONE_MS_MAX);
  await barrier(moved, room, ...watchers);
  for (const it of watchers) assert.deepEqual(it.take("user left"), []);
});

test("a user who moves between nodes never leaves", async (t) => {
  const cluster = await clusterForThisTest(t);
  const room = unique("room");
  const watchers = [];
  for (const node of cluster.nodes)
    watchers.push(await joinAsUser(t, wsJson, node, "watcher", { room }));
  let ann = await joinAsUser(t, wsJson, cluster.nodes[0], "ann", { room });
  await Promise.all(watchers.map((it) => joined(it, ann)));
  for (let n = 1; n <= 12; n += 1) {
    const before = ann;
    if (n % 2 === 0) before.drop();
    ann = await connectWithToken(t, CLIENT_TYPES[n % 3], cluster.nodes[n % 3], before.token, {
      room,
    });
    before.close();
  }
  const bob = await joinAsUser(t, wsJson, cluster.nodes[1], "bob", { room });
  await Promise.all(watchers.map((it) => joined(it, bob)));
  bob.close();
  for (const it of watchers) await it.next("user left", by(bob)); // a grace period has passed by now
  for (const it of watchers) {
    for (const event of ["user joined", "user left"]) {
      assert.deepEqual(it.take(event).filter(by(ann)), []);
    }
  }
  const [{ user, online, devices }] = await seen(watchers[2], ann);
  assert.deepEqual([user, online, devices], [ann.name, true, 1]);
});

test("a user on two nodes leaves with the last connection", async (t) => {
  const cluster = await clusterForThisTest(t, { settings: { "limits.presence_grace_ms": 100 } });
  const [one, two, three] = cluster.nodes;
  const room = unique("room");
  const watcher = await joinAsUser(t, wsJson, one, "watcher", { room });
  const first = await joinAsUser(t, wsJson, two, "ann", { room });
  const second = await connectWithToken(t, wsJson, three, first.token, { room });
  await joined(watcher, first);
  const devices = async () => (await seen(watcher, first))[0].devices;
  await waitUntil("two devices", async () => (await devices()) === 2);
  first.close();
  await waitUntil("one device", async () => (await devices()) === 1);
  const bob = await joinAsUser(t, wsJson, two, "bob", { room });
  bob.close();
  await watcher.next("user left", by(bob));
  assert.deepEqual(watcher.take("user left"), []);
  second.close();
  await watcher.next("user left", by(first));
});

test("a room without a list of names is counted correctly on all nodes", async (t) => {
  const settings = { "limits.presence_list_max": 4, "limits.presence_grace_ms": 100 };
  const cluster = await clusterForThisTest(t, { settings });
  const room = unique("room");
  const clients = [];
  for (let n = 0; n < 9; n += 1) {
    clients.push(await joinAsUser(t, wsJson, cluster.nodes[n % 3], "one", { room }));
  }
  for (const it of clients) await it.next("presence", ({ count }) => count === 9);
  clients.pop().close();
  for (const it of clients) await it.next("presence", ({ count }) => count === 8);
});

test("a node that was disconnected from both engines leaves no wrong presence behind", async (t) => {
  const cluster = await clusterForThisTest(t, {
    proxies: true,
    expectedLog: [...BUS_DISCONNECTED, ...STORE_UNAVAILABLE],
  });
  const [one, two, three] = cluster.nodes;
  const room = unique("room");
  const ann = await joinAsUser(t, wsJson, one, "ann", { room });
  const [staying, going, moving] = [
    await joinAsUser(t, wsJson, three, "staying", { room }),
    await joinAsUser(t, wsJson, three, "going", { room }),
    await joinAsUser(t, wsJson, three, "moving", { room }),
  ];
  await joined(ann, staying, going, moving);
  const proxies = Object.values(cluster.proxies[2]);
  for (const it of proxies) it.cut();
  going.close();
  moving.close();
  const moved = await connectWithToken(t, wsJson, two, moving.token, { room });
  for (const it of [staying, going]) await ann.next("user left", by(it), LONG_TIMEOUT_MS);
  for (const it of proxies) it.restore();
  await cluster.waitUntilReady();
  const here = [ann, staying, moved].map(({ name }) => name);
  for (const it of [ann, moved, staying]) {
    await waitUntil(`the right presence for ${it.name}`, async () => {
      const answer = await it.ask("GroupList", { room });
      return answer.ok && [...answer.users].sort().join() === here.sort().join();
    });
  }
  assert.deepEqual(
    ann.take("user left").map(({ user }) => user),
    [],
  );
  moved.close();
  await ann.next("user left", by(moved), GONE_MS_MAX);
  assert.deepEqual(ann.take("user left"), []);
});

/** Waits until the watcher has received `user joined` for these users. */
async function joined(watcher, ...clients) {
  for (const it of clients) await watcher.next("user joined", by(it));
}

/** What `presence` reports for a user. */
async function seen(client, other) {
  return assertOk(await client.ask("presence", { users: [other.name] })).users;
}

function by({ name }) {
  return ({ user }) => user === name;
}
