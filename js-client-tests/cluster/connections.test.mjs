// The connections of all nodes, `GET /api/v1/connections`, on real engines: docs/api.md.

import assert from "node:assert/strict";
import { test } from "node:test";

import { API_SETTINGS } from "../support/api.mjs";
import { clusterForThisTest } from "../support/cluster.mjs";
import { connectAnonymously, joinAsUser } from "../support/fixtures.mjs";
import { readPages, readQuestion } from "../support/pages.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { LONG_TIMEOUT_MS } from "../support/timeouts.mjs";
import { SECRET } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

const settings = { ...API_SETTINGS, spaces: ["/list-*"], "token.secret": SECRET };
const CLIENT_TYPES = [wsJson, socketIo("4.8", "polling"), socketIo("4.8", "websocket")];

const connectionsOf = ({ connections }) => connections.map(({ connection }) => connection);

test("every node lists the connections of all nodes, also when nodes leave or fail", async (t) => {
  const cluster = await clusterForThisTest(t, { nodes: 3, settings });
  const [one, stopped, killed] = cluster.nodes;
  const space = unique("/list");
  const users = [];
  for (const [at, node] of cluster.nodes.entries()) {
    for (const clientType of CLIENT_TYPES) {
      users.push((await joinAsUser(t, clientType, node, `user${at}`, { space })).name);
    }
    await connectAnonymously(t, wsJson, node, { space });
  }
  const lists = await Promise.all(
    cluster.nodes.map((node) => readQuestion(node, "connections", { space })),
  );
  for (const { connections, total, complete } of lists) {
    assert.deepEqual([total, complete], [12, true]);
    assert.deepEqual(connections, lists[0].connections, "all nodes have the same list");
  }
  const listed = lists[0].connections.flatMap(({ user }) => user ?? []);
  assert.deepEqual(listed.sort(), users.sort());
  const nodes = new Set(lists[0].connections.map(({ node }) => node));
  assert.equal(nodes.size, 3);
  for (const limit of [1, 5, 12]) {
    const { items } = await readPages(stopped, "connections", { space, limit });
    assert.deepEqual(items, lists[0].connections);
  }
  const [user] = users;
  const of = await readQuestion(killed, "connections", { space, user });
  assert.deepEqual([of.total, of.connections[0].user], [1, user]);

  const before = await readQuestion(stopped, "connections", { space });
  await stopped.stop();
  const left = await readQuestion(one, "connections", { space });
  assert.deepEqual([left.complete, left.total], [true, 8], "a farewell leaves nothing to wait for");
  assert.ok(connectionsOf(left).every((it) => connectionsOf(before).includes(it)));

  await killed.kill9();
  const failed = await readQuestion(one, "connections", { space });
  assert.deepEqual([failed.complete, failed.total], [false, 4], "its connections are not known");
  await waitUntil(
    "the end of the lease of the killed node",
    async () => (await readQuestion(one, "connections", { space })).complete,
    LONG_TIMEOUT_MS,
  );
  assert.equal((await readQuestion(one, "connections", { space })).total, 4);
});
