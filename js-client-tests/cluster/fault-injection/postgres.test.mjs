// PostgreSQL fails: no acknowledged message is lost or stored twice.

import assert from "node:assert/strict";
import { test } from "node:test";

import { STORE_UNAVAILABLE } from "../../support/expected-log.mjs";
import { runWithFault } from "../../support/fault-injection.mjs";
import { delay } from "../../support/timers.mjs";

const options = { expectedLog: STORE_UNAVAILABLE };

test("PostgreSQL is restarted", (t) =>
  runWithFault(t, options, async ({ cluster, load }) => {
    await cluster.postgres.restart();
    await load.progress(200);
    await cluster.postgres.restart();
  }));

test("PostgreSQL is down for four seconds", (t) =>
  runWithFault(t, options, async ({ cluster }) => {
    await cluster.postgres.crash();
    await delay(4000);
    await cluster.postgres.startAgain();
  }));

test("PostgreSQL is paused for five seconds", (t) =>
  runWithFault(t, options, async ({ cluster }) => {
    cluster.postgres.pause();
    await delay(5000);
    cluster.postgres.resume();
  }));

test("PostgreSQL is paused for longer than a node's lease", (t) =>
  runWithFault(t, options, async ({ cluster }) => {
    cluster.postgres.pause();
    await delay(12_000);
    cluster.postgres.resume();
  }));

test("its connections are terminated again and again", (t) =>
  runWithFault(t, options, async ({ cluster, load }) => {
    for (let n = 0; n < 15; n += 1) {
      assert.notEqual(await cluster.postgres.endConnections(), 0);
      await load.progress(30);
    }
  }));
