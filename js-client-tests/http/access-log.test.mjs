// The access log: a line for each request, without what is secret.

import assert from "node:assert/strict";
import { test } from "node:test";

import { API_SETTINGS, MANAGE_KEY } from "../support/api.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { httpRequest } from "../support/http.mjs";
import { Server } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { wsJson } from "../support/ws.mjs";

async function start(t, settings = {}) {
  const server = new Server({
    settings: { ...API_SETTINGS, access_log: "on", ...settings },
    logging: { format: "json" },
  });
  t.after(() => server.stop());
  return server.start();
}

/** What the log says of requests. */
const requests = (server) =>
  server.log
    .map((line) => JSON.parse(line))
    .filter(({ target }) => target.endsWith("access_log"))
    .map(({ timestamp: _, level: _level, target: _target, ...fields }) => fields);

/** Stops the server, so that all lines are there. */
async function requestsUntilStop(server) {
  await server.stop();
  return requests(server);
}

test("a request has a line with its id, which the client receives", async (t) => {
  const server = await start(t);
  const named = await httpRequest(server, "/health/live", {
    headers: { "x-request-id": "7b1c-0.a" },
  });
  assert.equal(named.headers["x-request-id"], "7b1c-0.a");
  const other = await httpRequest(server, "/nowhere?token=secret-token");
  const hostile = await httpRequest(server, "/health/live", {
    headers: { "x-request-id": 'a "b" c' },
  });
  const ids = [other, hostile].map((it) => it.headers["x-request-id"]);
  assert.equal(new Set(ids).size, 2);
  for (const id of ids) assert.match(id, /^[\w-]+\.\d+$/);
  const lines = await requestsUntilStop(server);
  assert.deepEqual(
    lines.map(({ latency_ms, ...line }) => [typeof latency_ms, line]),
    [
      ["7b1c-0.a", "/health/live", 200],
      [ids[0], "/nowhere", 404],
      [ids[1], "/health/live", 200],
    ].map(([id, path, status]) => [
      "number",
      {
        message: "request",
        "request.id": id,
        address: "127.0.0.1",
        method: "GET",
        path,
        status,
      },
    ]),
  );
  assert.ok(!server.log.join("\n").includes("secret-token"));
});

test("both wires and the API have lines, without tokens, cookies and keys", async (t) => {
  const server = await start(t);
  const polling = await joinAsGuest(t, socketIo("4.8", "polling"), server, "ann");
  const websocket = await joinAsGuest(t, wsJson, server, "bob");
  const headers = { authorization: `Bearer ${MANAGE_KEY}`, cookie: "session=planted-cookie" };
  assert.equal((await httpRequest(server, "/api/v1/rooms", { headers })).status, 200);
  for (const client of [polling, websocket]) client.close();
  const lines = await requestsUntilStop(server);
  const of = (path) => lines.filter((line) => line.path === path);
  assert.ok(of("/socket.io/").some(({ method, status }) => method === "POST" && status === 200));
  assert.deepEqual(
    of("/ws").map((line) => [line.status, line["connection.id"]]),
    [[101, websocket.welcome.connection]],
  );
  // The session has no connection before its CONNECT.
  const [first, ...others] = of("/socket.io/").map((line) => line["connection.id"]);
  assert.equal(first, undefined);
  assert.deepEqual(
    [...new Set(others.filter((it) => it !== undefined))],
    [polling.welcome.connection],
  );
  assert.deepEqual(
    of("/api/v1/rooms").map(({ status }) => status),
    [200],
  );
  const log = server.log.join("\n");
  for (const secret of [MANAGE_KEY, "planted-cookie", polling.token, websocket.token]) {
    assert.ok(!log.includes(secret), secret);
  }
  assert.ok(!log.includes("sid="));
});

test("the address is the client's, behind a proxy that is trusted", async (t) => {
  const server = await start(t, { trusted_proxies: ["127.0.0.0/8"] });
  await httpRequest(server, "/health/live", { headers: { "x-forwarded-for": "203.0.113.7" } });
  const [{ address }] = await requestsUntilStop(server);
  assert.equal(address, "203.0.113.7");
});

test("the address of back ends has lines, too", async (t) => {
  const server = await start(t, { "admin.listen": "127.0.0.1:0" });
  const answer = await httpRequest(server.admin, "/api/v1/rooms");
  assert.equal(answer.status, 401);
  const [{ path, status, ...line }] = await requestsUntilStop(server);
  assert.deepEqual([path, status], ["/api/v1/rooms", 401]);
  assert.equal(answer.headers["x-request-id"], line["request.id"]);
});

test("without the setting there are no lines and no ids", async (t) => {
  const server = await start(t, { access_log: "off" });
  const answer = await httpRequest(server, "/health/live", { headers: { "x-request-id": "a" } });
  assert.equal(answer.headers["x-request-id"], undefined);
  assert.deepEqual(await requestsUntilStop(server), []);
});
