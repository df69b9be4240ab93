// Webhooks of several nodes: each event is sent by one of them, and the presence of a killed node
// ends once.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { clusterForThisTest } from "../support/cluster.mjs";
import { joinAsUser } from "../support/fixtures.mjs";
import { readHistory } from "../support/history.mjs";
import { LONG_TIMEOUT_MS } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import {
  areAllGone,
  assertMessages,
  assertPresence,
  assertSameRepeats,
} from "../support/webhook-checker.mjs";
import { WebhookReceiver } from "../support/webhook-receiver.mjs";
import { wsJson } from "../support/ws.mjs";

test("the clients of a killed node are told of once, by a node that is left", async (t) => {
  const receiver = await WebhookReceiver.start(t);
  const webhooks = [receiver.webhook("all", { events: ["*"] })];
  const settings = { webhooks, "limits.presence_grace_ms": 100 };
  const cluster = await clusterForThisTest(t, { nodes: 2, settings });
  const [one, other] = cluster.nodes;
  const room = unique("room");
  const lost = await joinAsUser(t, wsJson, one, "lost", { room });
  const stays = await joinAsUser(t, wsJson, other, "stays", { room });
  for (const client of [lost, stays, lost]) {
    assertOk(await client.ask("send message", { room, msg: unique("text") }));
  }
  await told(receiver, "message.stored", 3);
  assert.equal(receiver.requests("all").length, receiver.events("all").length, "no repetition");

  await one.kill9();
  assertOk(await stays.ask("send message", { room, msg: "of the node that is left" }));
  await told(receiver, "connection.closed", 1);
  await told(receiver, "user.offline", 1);
  await told(receiver, "message.stored", 4);
  const closed = receiver.events("all").find(({ type }) => type === "connection.closed");
  const { user, address, reason } = closed.data;
  assert.deepEqual([user, address, reason], [lost.name, "127.0.0.1", "node_lost"]);
  const vacated = receiver.events("all").filter(({ type }) => type === "room.vacated");
  assert.deepEqual(vacated, [], "the room has a connection on the other node");

  const stored = await readHistory(stays, room);
  stays.close();
  await waitUntil("the end", async () => areAllGone(receiver, "all"), LONG_TIMEOUT_MS);
  assertSameRepeats(receiver, "all");
  assertMessages(receiver, "all", room, stored);
  assertPresence(receiver, "all");
});

/** Waits until a number of events of a type were told. */
async function told(receiver, wanted, count) {
  const events = () => receiver.events("all").filter(({ type }) => type === wanted);
  await waitUntil(
    `${count} times ${wanted}`,
    async () => count <= events().length,
    LONG_TIMEOUT_MS,
  );
}
