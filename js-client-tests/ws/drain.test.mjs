// The server leaves: everyone is told why, and the data are there for who comes back.

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { within } from "../support/patience.mjs";
import { arrive, comeBack, enter } from "../support/people.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { plain } from "../support/ws.mjs";

for (const signal of ["SIGTERM", "SIGINT"]) {
  test(`${signal} says \`closing\`, closes with 1001 and exits with 0`, async (t) => {
    const server = await serverForThisTest(t);
    const people = [await enter(t, plain, server, "ann"), await arrive(t, plain, server)];
    const { code } = await server.leave(signal);
    assert.equal(code, 0, server.log.join("\n"));
    for (const it of people) {
      const { afterMs, ...why } = await it.next("closing");
      assert.deepEqual(why, { code: "draining", reconnect: true });
      assert.ok(Number.isInteger(afterMs) && 0 <= afterMs);
      const { code, reason } = await within("the close", it.gone);
      assert.deepEqual([code, reason], [1001, "draining"]);
    }
  });
}

test("what was said before is there after", async (t) => {
  const server = await serverForThisTest(t);
  const room = unique("room");
  const ann = await enter(t, plain, server, "ann", { room });
  const said = accepted(await ann.ask("send message", { msg: "hello", id: unique("id") }));
  await server.restart();
  const back = await comeBack(t, plain, server, ann.token, { room, since: { [room]: 0 } });
  assert.deepEqual(
    (await back.next("missed")).messages.map(({ seq, id, msg }) => ({ seq, id, msg })),
    [{ seq: 1, id: said.id, msg: "hello" }],
  );
  const again = { msg: "hello", id: said.id };
  assert.deepEqual(await back.ask("send message", again), { ...said, duplicate: true });
});
