// Readiness is red when messages cannot be stored, and green again by itself.

import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { httpRequest } from "../support/http.mjs";
import { untilFailed, untilReady } from "../support/readiness.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { LIMITED_FILES, limitFiles, lockDatabase } from "../support/store-faults.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

/** What a server logs when it cannot write. */
const expectedLog = [/store commit/];

test("a full disk makes a server unready, until it has space again", async (t) => {
  const server = await serverForThisTest(t, { command: LIMITED_FILES, expectedLog });
  await untilReady(server);
  await limitFiles(server, "0");
  const { sinceMs } = await untilFailed(server, "store", "unavailable");
  assert.equal((await httpRequest(server, "/health/live")).body, "alive");
  await limitFiles(server, "unlimited");
  await untilReady(server);
  assert.ok(sinceMs >= 0);
});

test("a locked database makes a server unready, until it is unlocked", async (t) => {
  const settings = { "sqlite.busy_ms_max": 60_000 };
  const server = await serverForThisTest(t, { settings, expectedLog });
  await untilReady(server);
  const lock = await lockDatabase(server);
  const first = await untilFailed(server, "store", "timeout");
  const second = await untilFailed(server, "store", "timeout");
  assert.ok(second.sinceMs >= first.sinceMs, `${second.sinceMs} after ${first.sinceMs}`);
  await lock.release();
  await untilReady(server);
});

test("probes store nothing that a client sees", async (t) => {
  const server = await serverForThisTest(t);
  const room = unique("room");
  const ann = await joinAsGuest(t, wsJson, server, "ann", { room });
  assertOk(await ann.ask("send message", { msg: "one" }));
  await ann.next("new message");
  const before = await stat(path.join(server.data, "roomcast.db"));
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => httpRequest(server, "/health/ready")),
  );
  for (const { status } of answers) assert.equal(status, 200);
  assert.equal((await ann.ask("send message", { msg: "two" })).seq, 2);
  assert.equal((await ann.next("new message")).msg, "two");
  const after = await stat(path.join(server.data, "roomcast.db"));
  assert.equal(after.size, before.size);
});
