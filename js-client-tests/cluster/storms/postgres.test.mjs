// PostgreSQL fails, and nothing that was acknowledged is lost or there twice.

import assert from "node:assert/strict";
import { test } from "node:test";

import { STORELESS } from "../../support/complaints.mjs";
import { storm } from "../../support/storm.mjs";
import { lasting } from "../../support/ticks.mjs";

const storeless = { complaints: STORELESS };

test("PostgreSQL is restarted", (t) =>
  storm(t, storeless, async ({ cluster, crowd }) => {
    await cluster.postgres.restart();
    await crowd.progress(200);
    await cluster.postgres.restart();
  }));

test("PostgreSQL is down for a while", (t) =>
  storm(t, storeless, async ({ cluster }) => {
    await cluster.postgres.crash();
    await lasting(4000);
    await cluster.postgres.comeBack();
  }));

test("PostgreSQL is stopped in the middle, and goes on", (t) =>
  storm(t, storeless, async ({ cluster }) => {
    cluster.postgres.pause();
    await lasting(5000);
    cluster.postgres.resume();
  }));

test("PostgreSQL is stopped for longer than nodes are believed to live without a word", (t) =>
  storm(t, storeless, async ({ cluster }) => {
    cluster.postgres.pause();
    await lasting(12_000);
    cluster.postgres.resume();
  }));

test("its connections are ended again and again", (t) =>
  storm(t, storeless, async ({ cluster, crowd }) => {
    for (let n = 0; n < 15; n += 1) {
      assert.notEqual(await cluster.postgres.endConnections(), 0);
      await crowd.progress(30);
    }
  }));
