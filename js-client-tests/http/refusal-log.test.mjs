// What the log says of refused pages and refused requests. docs/operations.md "Browser pages are
// refused".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertRefused } from "../support/assert.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { httpRequest } from "../support/http.mjs";
import { Server } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { wsJson } from "../support/ws.mjs";

async function start(t, filter) {
  const server = new Server({ logging: { format: "json", filter } });
  t.after(() => server.stop());
  return server.start();
}

/** The lines with this message. */
const lines = (server, message) =>
  server.log.map((line) => JSON.parse(line)).filter((line) => line.message === message);

test("the log tells once that the pages of a site are refused, and which setting lets them in", async (t) => {
  const server = await start(t, "info");
  const socketIoPath = "/socket.io/?EIO=4&transport=polling";
  for (const [path, origin] of [
    [socketIoPath, "https://one.example"],
    ["/api/session", "https://one.example"],
    [socketIoPath, "https://two.example"],
    [socketIoPath, "null"],
    [socketIoPath, "https://one.example"],
  ]) {
    const { status } = await httpRequest(server, path, { headers: { origin } });
    assert.equal(status, 403, `${path} ${origin}`);
  }
  const headers = { origin: "https://two.example" };
  assert.equal(await wsJson.refusal(server, { headers }), "origin_forbidden");
  await server.stop();
  const told = lines(server, "pages of a site are refused");
  assert.deepEqual(
    told.map(({ level, origin }) => [level, origin]),
    ["https://one.example", "https://two.example", "null"].map((origin) => ["INFO", origin]),
  );
  for (const { reason } of told) assert.match(reason, /the setting `origins`/);
  assert.deepEqual(lines(server, "page refused"), []);
});

test("at the level debug, the log has each refused page and each refused request", async (t) => {
  const server = await start(t, "info,roomcast=debug");
  for (const _ of [1, 2]) {
    const headers = { origin: "https://one.example" };
    await httpRequest(server, "/socket.io/?EIO=4&transport=polling", { headers });
  }
  const connections = [];
  for (const clientType of [wsJson, socketIo("4.8", "polling")]) {
    const ann = await joinAsGuest(t, clientType, server, "ann");
    connections.push(ann.welcome.connection);
    assertRefused(await ann.ask("no such request", {}), "unknown_event");
    assertRefused(await ann.ask("join", { name: "news" }), "bad_request");
  }
  await server.stop();
  assert.equal(lines(server, "page refused").length, 2);
  const refused = lines(server, "request refused");
  assert.deepEqual(
    refused.map(({ event }) => event),
    Array(2).fill(['Some("no such request")', 'Some("join")']).flat(),
  );
  for (const [at, line] of refused.entries()) {
    const connection = connections[Math.floor(at / 2)];
    assert.ok(JSON.stringify(line).includes(connection), JSON.stringify(line));
  }
});
