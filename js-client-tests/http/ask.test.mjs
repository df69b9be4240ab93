// Asks over the HTTP API: every kind of client, many connections, and refusals. docs/api.md.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";

import { ask } from "../suites/ask.mjs";
import { API_SETTINGS, callApi, MANAGE_KEY, PUBLISH_KEY, SHOP_KEY } from "../support/api.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { httpRequest } from "../support/http.mjs";
import { wsMsgpack } from "../support/msgpack.mjs";
import { Server, serverForThisFile } from "../support/server.mjs";
import { MSGPACK_SOCKET_IO, socketIo } from "../support/socket.io.mjs";
import { TIMEOUT_MS } from "../support/timeouts.mjs";
import { SECRET } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const LONG_MS = 2 * TIMEOUT_MS;
const READ_KEY = "rcast_read-only-0123456789abc";
const sha256 = createHash("sha256").update(READ_KEY).digest("hex");
const settings = {
  ...API_SETTINGS,
  api_keys: [...API_SETTINGS.api_keys, { name: "reader", sha256, scopes: ["read"] }],
  "token.secret": SECRET,
};
const server = serverForThisFile({ settings });
const limited = serverForThisFile({
  settings: { ...settings, "limits.ask_answers_max": 1, "limits.ask_wait_ms_max": 1000 },
});

const CLIENT_TYPES = [
  socketIo("4.8", "websocket"),
  socketIo("4.8", "polling"),
  socketIo("3.1", "websocket"),
  socketIo("2.5", "websocket"),
  socketIo("2.5", "polling"),
  socketIo("2.3", "polling"),
  socketIo("1.7", "websocket"),
  socketIo("1.7", "polling"),
  wsJson,
  wsMsgpack,
  ...MSGPACK_SOCKET_IO,
];

for (const clientType of CLIENT_TYPES) {
  describe(`asks and ${clientType.label}`, () => ask(clientType, server));
}

const BODY = { event: "whoami", to: { room: "nobody is here" }, timeout_ms: LONG_MS };

test("a hundred connections answer, and some of them do not", async (t) => {
  const room = unique("room");
  const mixed = Array.from({ length: 100 }, (_, n) => CLIENT_TYPES[n % CLIENT_TYPES.length]);
  const clients = await Promise.all(
    mixed.map((clientType) => joinAsGuest(t, clientType, server, "guest", { room })),
  );
  for (const [n, client] of clients.entries()) {
    client.answerAsks("number", () => [n]);
    client.answerAsks("rarely", () => (n % 10 === 3 ? null : [n]));
  }
  const numbers = async (event, timeout_ms) => {
    const answer = await callApi(server, "ask", { event, to: { room }, timeout_ms });
    const { answers, missing, complete } = answer.body;
    assert.ok(complete);
    return [answers.map(({ args: [n] }) => n).sort((a, b) => a - b), missing];
  };
  const all = [...clients.keys()];
  assert.deepEqual(await numbers("number", LONG_MS), [all, 0]);
  const some = all.filter((n) => n % 10 !== 3);
  assert.deepEqual(await numbers("rarely", 3000), [some, 10]);
});

test("answers that nobody awaits are ignored", async (t) => {
  const room = unique("room");
  const ws = await joinAsGuest(t, wsJson, server, "ws", { room });
  const packed = await joinAsGuest(t, wsMsgpack, server, "packed", { room });
  const socket = await joinAsGuest(t, socketIo("4.8", "websocket"), server, "socket", { room });
  const old = await joinAsGuest(t, socketIo("2.3", "polling"), server, "old", { room });
  const numbers = [];
  const answerAgain = () => {
    for (const number of [...numbers, 0, 123_456, Number.MAX_SAFE_INTEGER]) {
      for (const client of [ws, packed]) client.send({ answer: number, args: ["again"] });
      for (const client of [socket, old]) client.engine.send(`3${number}["again"]`);
    }
  };
  for (const client of [socket, old]) {
    client.socket.io.on("packet", ({ type, id }) => {
      if (type === 2 && id !== undefined) numbers.push(id);
    });
    client.answerAsks("whoami", () => ["first"]);
  }
  ws.answerAsks("whoami", () => ["first"]);
  packed.answerAsks("whoami", () => ["first"]);
  for (const _round of [1, 2]) {
    const answer = await callApi(server, "ask", { ...BODY, to: { room } });
    const { answers, missing } = answer.body;
    assert.deepEqual([answers.map(({ args }) => args), missing], [Array(4).fill(["first"]), 0]);
    assert.ok(numbers.length > 0);
    answerAgain();
  }
  for (const client of [ws, packed, socket, old]) {
    assert.ok((await client.ask("GroupList", { room })).ok, "it is still connected");
    assert.deepEqual(client.take("error message"), []);
  }
});

test("a request that is not as documented is refused", async () => {
  for (const [key, body, status, code] of [
    [null, BODY, 401, "unauthorized"],
    [READ_KEY, BODY, 403, "forbidden"],
    [SHOP_KEY, BODY, 403, "space_forbidden"],
    [SHOP_KEY, { ...BODY, space: "/shop" }, 200, undefined],
    [PUBLISH_KEY, BODY, 200, undefined],
    [MANAGE_KEY, { ...BODY, space: "/nowhere" }, 404, "unknown_space"],
    [MANAGE_KEY, { ...BODY, timeout_ms: 0 }, 400, "bad_request"],
    [MANAGE_KEY, { ...BODY, timeout_ms: 30_001 }, 400, "bad_request"],
    [MANAGE_KEY, { ...BODY, timeout_ms: 1.5 }, 400, "bad_request"],
    [MANAGE_KEY, { ...BODY, to: {} }, 400, "bad_request"],
    [MANAGE_KEY, { ...BODY, kept: true }, 400, "bad_request"],
    [MANAGE_KEY, { ...BODY, event: "new message" }, 400, "bad_request"],
    [MANAGE_KEY, { ...BODY, args: "x" }, 400, "bad_request"],
    [MANAGE_KEY, "[]", 400, "bad_request"],
  ]) {
    const answer = await callApi(server, "ask", body, key);
    assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(body));
  }
  const get = await httpRequest(server, "/api/v1/ask", {
    headers: { authorization: `Bearer ${MANAGE_KEY}` },
  });
  assert.deepEqual([get.status, get.headers.allow], [405, "POST"]);
});

test("more answers than the limit are not awaited, nor for longer", async (t) => {
  const room = unique("room");
  const body = { event: "whoami", to: { room }, timeout_ms: 1000 };
  const status = async (more) => (await callApi(limited, "ask", { ...body, ...more })).status;
  const one = await joinAsGuest(t, wsJson, limited, "one", { room });
  one.answerAsks("whoami", () => []);
  assert.equal(await status(), 200);
  assert.equal(await status({ timeout_ms: 1001 }), 400);
  await joinAsGuest(t, wsJson, limited, "two", { room });
  const refused = await callApi(limited, "ask", body);
  assert.deepEqual([refused.status, refused.body.code], [503, "unavailable"]);
  assert.equal(await status({ to: { user: one.name } }), 200);
});

test("a drain ends an ask with the answers that are there", async (t) => {
  const draining = new Server({ settings });
  t.after(() => draining.stop());
  await draining.start();
  const room = unique("room");
  const [quick, silent] = await Promise.all([
    joinAsGuest(t, wsJson, draining, "quick", { room }),
    joinAsGuest(t, socketIo("4.8", "polling"), draining, "silent", { room }),
  ]);
  quick.answerAsks("whoami", () => ["here"]);
  const asked = new Promise((resolve) => silent.answerAsks("whoami", () => resolve()));
  const answer = callApi(draining, "ask", { ...BODY, to: { room } });
  await asked;
  assert.ok((await quick.ask("GroupList", {})).ok, "its answer has arrived");
  await draining.stop();
  const { status, body } = await answer;
  assert.deepEqual([status, body.answers.map(({ user }) => user)], [200, [quick.name]]);
  assert.deepEqual([body.missing, body.complete], [1, true]);
});
