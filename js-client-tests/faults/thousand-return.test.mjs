// A server dies and comes up again, and a thousand users come back to it at once.

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, dense } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { LONG_PATIENCE, within } from "../support/patience.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { way } from "../support/socket.io.mjs";
import { epoch, SECRET, signed } from "../support/tokens.mjs";
import { plain } from "../support/ws.mjs";

const USERS = 1000;
/** Every tenth comes over Socket.IO. */
const wayOf = (n) => (n % 10 === 0 ? way("4.8", "websocket") : plain);

const SEEN = 3;
const MISSED = 100;

const server = serverForThisFile({ settings: { "token.secret": SECRET } });

test(`${USERS} users who come back at once have exactly what they missed`, async (t) => {
  const room = unique("room");
  const crowd = await Promise.all(Array.from({ length: USERS }, newcomer));
  const ann = await newcomer();
  t.after(() => {
    for (const { client } of [ann, ...crowd]) client.close();
  });

  await Promise.all([ann, ...crowd].map((it) => come(it, 0)));
  await say(ann, SEEN);
  await each(async ({ client }) => {
    dense(await client.collect("new message", SEEN, LONG_PATIENCE));
    client.close();
    await within("the end of a connection", client.gone, LONG_PATIENCE);
  });
  const missed = await say(ann, MISSED);

  await server.kill9();
  await server.start();

  await each(async (it) => {
    await come(it, SEEN);
    const messages = await whatWasMissed(it.client);
    dense(messages, SEEN + 1);
    assert.deepEqual(
      messages.map(({ id }) => id),
      missed,
    );
  });
  await come(ann, SEEN + MISSED);
  const [live] = await say(ann, 1);
  await each(async ({ client }) => {
    const { id, seq } = await client.next("new message", undefined, LONG_PATIENCE);
    assert.deepEqual([id, seq], [live, SEEN + MISSED + 1]);
    const others = ["missed", "new message", "closing"].flatMap((event) => client.take(event));
    assert.deepEqual(others, []);
  });

  async function newcomer(_, n = 1) {
    return { way: wayOf(n), token: await signed(server, { sub: unique("user"), exp: epoch(600) }) };
  }

  async function come(person, seq) {
    const since = { [room]: seq };
    const client = await person.way.connect(server, { token: person.token, room, since });
    person.client = client;
    await client.next("welcome", undefined, LONG_PATIENCE);
    accepted(await client.ask("GroupList", { room }, LONG_PATIENCE)); // in the room by now
  }

  /** Does the same with everybody in the crowd, at the same time. */
  function each(action) {
    return Promise.all(crowd.map(action));
  }

  /** Says `count` messages at once; answers their ids when all are on disk. */
  async function say({ client }, count) {
    const list = Array.from({ length: count }, (_, msg) => ({ room, msg }));
    const answers = await client.askAll("send message", list, LONG_PATIENCE);
    return answers.map((it) => accepted(it).id);
  }
});

/** Everything up to the last `missed`. */
async function whatWasMissed(client) {
  const missed = [];
  for (let more = true; more; ) {
    const page = await client.next("missed", undefined, LONG_PATIENCE);
    assert.equal(page.recovered, true);
    missed.push(...page.messages);
    ({ more } = page);
  }
  return missed;
}
