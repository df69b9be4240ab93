// The official Admin UI on two nodes: each shows and changes the connections of both.

import assert from "node:assert/strict";
import { test } from "node:test";

import { adminUi } from "../suites/admin-ui.mjs";
import { ADMIN_UI_SETTINGS, AdminClient } from "../support/admin-ui.mjs";
import { clusterForThisFile } from "../support/cluster.mjs";
import { joinAsUser } from "../support/fixtures.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const settings = { ...ADMIN_UI_SETTINGS, spaces: ["/space-*"], "token.secret": SECRET };
const cluster = clusterForThisFile({ nodes: 2, settings });

test("a page has the servers and the sockets of all nodes", async (t) => {
  const [one, other] = cluster.nodes;
  const here = await joinAsUser(t, wsJson, one, "here");
  const there = await joinAsUser(t, socketIo("4.8", "polling"), other, "there");
  const page = await AdminClient.connect(t, one);
  await page.until("both servers", () => page.servers.size === 2);
  const pids = [...page.servers.values()].map(({ pid }) => pid);
  assert.deepEqual(pids.sort(), [one.pid, other.pid].sort());
  const sockets = [await page.socketOf(here.name), await page.socketOf(there.name)];
  const nodes = sockets.map(({ id }) => id.split(".")[0]);
  assert.deepEqual(nodes.sort(), [...page.servers.keys()].sort());
  const remote = await AdminClient.connect(t, other, { sessionId: page.session });
  await remote.socketOf(here.name);
  await there.close();
  await page.until("the end", () => !page.sockets.has(sockets[1].id));
});

test("commands reach the sockets of another node", async (t) => {
  const [one, other] = cluster.nodes;
  const page = await AdminClient.connect(t, one);
  const space = unique("/space-");
  const ann = await joinAsUser(t, socketIo("4.8", "websocket"), other, "ann", { space });
  const socket = await page.socketOf(ann.name);
  const room = unique("room");
  page.socket.emit("join", space, room, socket.id);
  assert.equal((await ann.next("membership", (it) => it.room === room)).role, "member");
  await page.untilIn(socket, room);
  ann.listenTo("offer");
  page.socket.emit("emit", space, room, "offer", 7);
  assert.deepEqual(await ann.next("offer"), [7]);
  page.socket.emit("leave", space, room, socket.id);
  assert.equal((await ann.next("membership", (it) => it.room === room)).role, null);
  await page.untilOut(socket, room);
  page.socket.emit("_disconnect", space, true, socket.id);
  assert.equal((await ann.next("closing")).code, "disconnected");
  await page.until("the end", () => !page.sockets.has(socket.id));
});

adminUi(() => cluster.nodes);

test("the sockets of a node that stops end with it", async (t) => {
  const [one, other] = cluster.nodes;
  const page = await AdminClient.connect(t, one);
  const ann = await joinAsUser(t, wsJson, other, "ann");
  const { id } = await page.socketOf(ann.name);
  await other.stop();
  await page.until("the end", () => page.reasons.has(id));
  assert.equal(page.reasons.get(id), "server shutting down");
});
