// A full disk and a locked database: requests are refused, nothing is stored or delivered, and the
// server recovers by itself.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  assertClosedForGood,
  assertConsecutive,
  assertErrorEvent,
  assertOk,
  assertRefused,
} from "../support/assert.mjs";
import { runRoomcast } from "../support/command.mjs";
import { deleteSession, getSession, signIn } from "../support/cookie-session.mjs";
import { barrier, connect, connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { readHistory } from "../support/history.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { LIMITED_FILES, limitFiles, lockDatabase } from "../support/store-faults.mjs";
import { TIMEOUT_MS, withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

/** What a server logs when it cannot write. */
const expectedLog = [/stor|sqlite|database|disk|journal|writ/i];

const WIRES = [wsJson, socketIo("4.8", "polling"), socketIo("2.5", "websocket")];

test("with a full disk requests are `unavailable`, until it has space again", async (t) => {
  const server = await serverForThisTest(t, { command: LIMITED_FILES, expectedLog });
  await recovers(t, server, {
    injectFault: () => limitFiles(server, "0"),
    repairFault: () => limitFiles(server, "unlimited"),
  });
});

test("with a locked database requests are `unavailable`, until it is unlocked", async (t) => {
  const settings = { "sqlite.busy_ms_max": 100 };
  const server = await serverForThisTest(t, { settings, expectedLog });
  let lock;
  await recovers(t, server, {
    injectFault: async () => (lock = await lockDatabase(server)),
    repairFault: () => lock.release(),
  });
});

test("a session whose end cannot be stored goes on until it can", async (t) => {
  const settings = { "sqlite.busy_ms_max": 100 };
  const server = await serverForThisTest(t, { settings, expectedLog });
  const session = await signIn(server, { name: unique("ann") });
  const ann = await connect(t, wsJson, server, { headers: session });
  await ann.waitForWelcome();
  const lock = await lockDatabase(server);
  const refused = await deleteSession(server, session);
  assert.deepEqual([refused.status, refused.body.code], [503, "unavailable"]);
  assert.equal(refused.headers["set-cookie"], undefined, "the cookie is needed again");
  assert.equal((await getSession(server, session)).status, 200);
  await lock.release();
  assert.deepEqual(ann.take("closing"), []);
  assert.equal((await deleteSession(server, session)).status, 204);
  await assertClosedForGood(ann, "signed_out", 4501);
});

test("a second server on the same data is refused, and the first one is not affected", async (t) => {
  const server = await serverForThisTest(t);
  const room = unique("room");
  const ann = await joinAsGuest(t, wsJson, server, "ann", { room });
  const second = await runRoomcast("serve", "--listen", "127.0.0.1:0", "--data", server.data);
  assert.ok([1, 2].includes(second.code), `exit ${second.code}`);
  assert.equal(second.stdout, "");
  assert.ok(second.stderr.includes(server.data), second.stderr);
  assertOk(await ann.ask("send message", "still here"));
});

/** What must hold before, during and after the fault. */
async function recovers(t, server, { injectFault, repairFault }) {
  const room = unique("room");
  const clients = [];
  for (const it of WIRES) clients.push(await joinAsGuest(t, it, server, "one", { room }));
  const [ann, bob] = clients;
  for (const it of clients) assertOk(await it.ask("send message", { msg: "before" }));
  for (const it of clients) await it.collect("new message", clients.length);

  await injectFault();
  const refusedId = unique("id");
  for (const it of clients) {
    assertRefused(await it.ask("send message", { msg: "lost", id: refusedId }), "unavailable");
    assertRefused(await it.ask("GroupChat", { data: "lost" }), "unavailable");
    assertRefused(await it.ask("SingleChat", { to: bob.name, data: "lost" }), "unavailable");
    it.emit("send message", { msg: "lost" });
    assertErrorEvent(await it.next("error message"), "send message", "unavailable");
  }
  const many = Array.from({ length: 50 }, (_, n) => ({ msg: `lost ${n}` }));
  for (const answer of await ann.askAll("send message", many)) assertRefused(answer, "unavailable");

  await repairFault();
  const again = await retryUntilOk(ann, { msg: "after", id: refusedId });
  assert.deepEqual([again.seq, again.duplicate], [clients.length + 1, undefined]);
  await barrier(bob, room, ...clients);
  for (const it of clients) {
    assert.deepEqual(
      it.take("new message").map(({ msg }) => msg),
      ["after"],
    );
    assert.deepEqual(it.take("GroupChat"), []);
    assert.deepEqual(it.take("SingleChat"), []);
  }
  const stored = await readHistory(ann, room);
  assertConsecutive(stored);
  assert.equal(stored.length, clients.length + 2);

  await server.restart();
  const back = await connectWithToken(t, wsJson, server, ann.token, { room });
  assert.deepEqual(await readHistory(back, room), stored);
}

/** Retries as `unavailable` asks a client to do; returns the acknowledgement. */
function retryUntilOk(client, message) {
  const answered = async () => {
    for (;;) {
      const answer = await client.ask("send message", message);
      if (answer.ok) return answer;
      assertRefused(answer, "unavailable");
    }
  };
  return withTimeout("the server to recover", answered(), TIMEOUT_MS);
}
