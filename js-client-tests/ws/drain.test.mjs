// Draining: every client is notified, and the data are there after a restart.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { connect, connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

for (const signal of ["SIGTERM", "SIGINT"]) {
  test(`${signal} sends \`closing\`, closes with 1001 and exits with 0`, async (t) => {
    const server = await serverForThisTest(t);
    const clients = [await joinAsGuest(t, wsJson, server, "ann"), await connect(t, wsJson, server)];
    const { code } = await server.exitOn(signal);
    assert.equal(code, 0, server.log.join("\n"));
    for (const it of clients) {
      const { afterMs, ...why } = await it.next("closing");
      assert.deepEqual(why, { code: "draining", reconnect: true });
      assert.ok(Number.isInteger(afterMs) && 0 <= afterMs);
      const { code, reason } = await withTimeout("the close", it.closed);
      assert.deepEqual([code, reason], [1001, "draining"]);
    }
  });
}

test("messages are there after a restart", async (t) => {
  const server = await serverForThisTest(t);
  const room = unique("room");
  const ann = await joinAsGuest(t, wsJson, server, "ann", { room });
  const sent = assertOk(await ann.ask("send message", { msg: "hello", id: unique("id") }));
  await server.restart();
  const back = await connectWithToken(t, wsJson, server, ann.token, { room, since: { [room]: 0 } });
  assert.deepEqual(
    (await back.next("missed")).messages.map(({ seq, id, msg }) => ({ seq, id, msg })),
    [{ seq: 1, id: sent.id, msg: "hello" }],
  );
  const again = { msg: "hello", id: sent.id };
  assert.deepEqual(await back.ask("send message", again), { ...sent, duplicate: true });
});
