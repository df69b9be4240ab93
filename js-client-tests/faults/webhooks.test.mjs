// kill -9 of Roomcast and of the receiver of webhooks, while clients talk, come and go: every event
// is told at least once, with the same id whenever it is repeated, and in order.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { connect, connectWithToken, joinAsUser } from "../support/fixtures.mjs";
import { readHistory } from "../support/history.mjs";
import { Server } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { LONG_TIMEOUT_MS, withTimeout } from "../support/timeouts.mjs";
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

const TURNS = 20;
const ANSWERS_EACH_TURN = 20;
const CLIENT_TYPES = [socketIo("4.8", "websocket"), socketIo("4.8", "polling"), wsJson];
const WEBHOOKS = ["single", "batched"];

/** The receiver is killed in each turn. */
const RECEIVER_FAILS = [/webhook receiver only fails/];

test(`webhooks survive ${TURNS} kills of the server and of the receiver`, async (t) => {
  const receiver = await WebhookReceiver.start(t);
  const webhooks = [
    receiver.webhook("single", { events: ["*"] }),
    receiver.webhook("batched", { events: ["*"], batch_max: 20, in_flight_max: 2 }),
  ];
  const settings = { webhooks, "limits.presence_grace_ms": 100, "sqlite.synchronous": "normal" };
  const server = await new Server({ settings, expectedLog: RECEIVER_FAILS }).start();
  t.after(() => server.stop());
  const room = unique("room");
  const users = await Promise.all(
    CLIENT_TYPES.map(async (it) => ({
      clientType: it,
      client: await joinAsUser(t, it, server, "user", { room }),
    })),
  );
  const tokens = users.map(({ client }) => client.token);

  for (let turn = 0; turn < TURNS; turn += 1) {
    const guest = await connect(t, wsJson, server, { room });
    await guest.identify(unique("guest"));
    await Promise.all(users.map(({ client }) => post(client)));
    await receiver.kill9();
    guest.close();
    await Promise.all(users.map(({ client }) => post(client)));
    await receiver.start();
    await server.kill9();
    for (const { client } of users) client.close();
    await server.start();
    for (const [at, it] of users.entries()) {
      it.client = await connectWithToken(t, it.clientType, server, tokens[at], { room });
    }
  }

  const stored = await readHistory(users[0].client, room);
  assert.ok(TURNS * CLIENT_TYPES.length * ANSWERS_EACH_TURN <= stored.length);
  for (const { client } of users) client.close();
  for (const name of WEBHOOKS) {
    const told = () => receiver.events(name).filter(({ type }) => type === "message.stored");
    const isComplete = async () => areAllGone(receiver, name) && told().length >= stored.length;
    await waitUntil(`the rest of ${name}`, isComplete, LONG_TIMEOUT_MS);
    assertSameRepeats(receiver, name);
    assertMessages(receiver, name, room, stored);
    assertPresence(receiver, name);
    const types = new Set(receiver.events(name).map(({ type }) => type));
    for (const type of ["connection.closed", "member.joined"]) assert.ok(types.has(type), type);
    const lost = receiver.events(name).filter(({ data }) => data.reason === "node_lost");
    assert.ok(TURNS <= lost.length, "connections of killed servers are told of");
  }
  const batches = receiver.requests("batched").map(({ events }) => events.length);
  assert.ok(1 < Math.max(...batches), "requests had several events");

  /** Posts half of the messages of a turn, one after the other. */
  async function post(client) {
    for (let count = 0; count < ANSWERS_EACH_TURN / 2; count += 1) {
      const message = { room, msg: { text: unique("text") }, id: unique("id") };
      const answer = client.request("send message", message);
      assertOk(await withTimeout("an answer", answer, LONG_TIMEOUT_MS));
    }
  }
});
