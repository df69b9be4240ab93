// The server is killed and restarts, and a thousand users reconnect at once.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertConsecutive, assertOk } from "../support/assert.mjs";
import { readMissed } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { LONG_TIMEOUT_MS, withTimeout } from "../support/timeouts.mjs";
import { epochSeconds, SECRET, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const USERS = 1000;
/** Every tenth user connects over Socket.IO. */
const clientTypeOf = (n) => (n % 10 === 0 ? socketIo("4.8", "websocket") : wsJson);

const SEEN = 3;
const MISSED = 100;

const server = serverForThisFile({ settings: { "token.secret": SECRET } });

test(`${USERS} users who reconnect at once receive exactly what they missed`, async (t) => {
  const room = unique("room");
  const users = await Promise.all(Array.from({ length: USERS }, newcomer));
  const ann = await newcomer();
  t.after(() => {
    for (const { client } of [ann, ...users]) client.close();
  });

  await Promise.all([ann, ...users].map((it) => connectUser(it, 0)));
  await post(ann, SEEN);
  await each(async ({ client }) => {
    assertConsecutive(await client.collect("new message", SEEN, LONG_TIMEOUT_MS));
    client.close();
    await withTimeout("the end of a connection", client.closed, LONG_TIMEOUT_MS);
  });
  const missed = await post(ann, MISSED);

  await server.kill9();
  await server.start();

  await each(async (it) => {
    await connectUser(it, SEEN);
    const messages = await readMissed(it.client, LONG_TIMEOUT_MS);
    assertConsecutive(messages, SEEN + 1);
    assert.deepEqual(
      messages.map(({ id }) => id),
      missed,
    );
  });
  await connectUser(ann, SEEN + MISSED);
  const [live] = await post(ann, 1);
  await each(async ({ client }) => {
    const { id, seq } = await client.next("new message", undefined, LONG_TIMEOUT_MS);
    assert.deepEqual([id, seq], [live, SEEN + MISSED + 1]);
    const others = ["missed", "new message", "closing"].flatMap((event) => client.take(event));
    assert.deepEqual(others, []);
  });

  async function newcomer(_, n = 1) {
    return {
      clientType: clientTypeOf(n),
      token: await signToken(server, { sub: unique("user"), exp: epochSeconds(600) }),
    };
  }

  async function connectUser(user, seq) {
    const since = { [room]: seq };
    const client = await user.clientType.connect(server, { token: user.token, room, since });
    user.client = client;
    await client.next("welcome", undefined, LONG_TIMEOUT_MS);
    assertOk(await client.ask("GroupList", { room }, LONG_TIMEOUT_MS)); // in the room by now
  }

  /** Does the same for all users at the same time. */
  function each(action) {
    return Promise.all(users.map(action));
  }

  /** Posts `count` messages at once; returns their ids when all are acknowledged. */
  async function post({ client }, count) {
    const list = Array.from({ length: count }, (_, msg) => ({ room, msg }));
    const answers = await client.askAll("send message", list, LONG_TIMEOUT_MS);
    return answers.map((it) => assertOk(it).id);
  }
});
