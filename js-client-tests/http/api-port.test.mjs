// An address of its own for the HTTP API. docs/api.md.

import assert from "node:assert/strict";
import { test } from "node:test";

import { API_SETTINGS, askApi, callApi } from "../support/api.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { httpRequest } from "../support/http.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";

const settings = { ...API_SETTINGS, "admin.listen": "127.0.0.1:0" };
const server = serverForThisFile({ settings });

test("the API is at its own address, and clients are at theirs", async (t) => {
  const ann = await joinAsGuest(t, socketIo("4.8", "polling"), server, "ann");
  ann.listenTo("tick");
  const emit = { items: [{ event: "tick", args: [7], to: { user: ann.name } }] };
  const done = await callApi(server.admin, "emit", emit);
  assert.deepEqual([done.status, done.body.results], [200, [{ ok: true }]]);
  assert.deepEqual(await ann.next("tick"), [7]);
  const { body } = await askApi(server.admin, "users");
  assert.deepEqual(
    body.users.map(({ user }) => user),
    [ann.name],
  );
});

test("each address has no routes of the other", async () => {
  for (const answer of [
    await callApi(server, "emit", { items: [] }),
    await askApi(server, "users"),
    await askApi(server, "rooms/lobby/members"),
    await httpRequest(server.admin, "/"),
    await httpRequest(server.admin, "/ws"),
    await httpRequest(server.admin, "/api/session"),
    await httpRequest(server.admin, "/socket.io/?EIO=4&transport=polling"),
  ]) {
    assert.deepEqual([answer.status, answer.body.code], [404, "not_found"]);
  }
  assert.equal((await httpRequest(server, "/api/session")).status, 200);
});

test("health is at both", async () => {
  for (const at of [server, server.admin]) {
    assert.deepEqual((await httpRequest(at, "/health/ready")).body, { status: "ready" });
    assert.equal((await httpRequest(at, "/health/live")).body, "alive");
  }
});
