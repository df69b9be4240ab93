// The HTTP API for back ends. docs/api.md.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { httpApi } from "../suites/http-api.mjs";
import {
  API_SETTINGS,
  askApi,
  callApi,
  MANAGE_KEY,
  PUBLISH_KEY,
  SHOP_KEY,
} from "../support/api.mjs";
import { httpRequest } from "../support/http.mjs";
import { wsMsgpack } from "../support/msgpack.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";
import { wsJson } from "../support/ws.mjs";

const settings = { ...API_SETTINGS, "token.secret": SECRET };
const server = serverForThisFile({ settings, logging: { filter: "debug" } });
const closed = serverForThisFile();

const CLIENT_TYPES = [
  socketIo("4.8", "websocket"),
  socketIo("4.8", "polling"),
  socketIo("2.5", "websocket"),
  wsJson,
  wsMsgpack,
];

for (const clientType of CLIENT_TYPES) {
  describe(`the HTTP API and ${clientType.label}`, () => httpApi(clientType, server));
}

const NOTHING = { items: [] };
const EMIT = { items: [{ event: "tick", to: { room: "a" } }] };

test("a request needs a key", async () => {
  for (const key of [null, "x", MANAGE_KEY.slice(0, -1), `${MANAGE_KEY}0`]) {
    const { status, headers, body } = await callApi(server, "emit", EMIT, key);
    assert.deepEqual([status, body.code], [401, "unauthorized"], key);
    assert.match(headers["www-authenticate"], /^Bearer/);
  }
  assert.equal((await callApi(closed, "emit", EMIT)).status, 401);
  const query = `/api/v1/emit?token=${MANAGE_KEY}&key=${MANAGE_KEY}`;
  const options = { method: "POST", headers: { "content-type": "application/json" } };
  assert.equal((await httpRequest(server, query, { ...options, body: "{}" })).status, 401);
});

test("a key permits its scopes and its spaces, and else nothing is done", async () => {
  const publish = { emit: { event: "tick", to: { room: "a" } } };
  const manage = { disconnect: { user: "ann" } };
  const inShop = { space: "/shop", ...EMIT };
  for (const [key, route, body, status, code] of [
    [PUBLISH_KEY, "actions", { do: [publish] }, 200],
    [PUBLISH_KEY, "actions", { do: [publish, manage] }, 403, "forbidden"],
    [MANAGE_KEY, "actions", { do: [publish, manage] }, 200],
    [SHOP_KEY, "emit", inShop, 200],
    [SHOP_KEY, "emit", EMIT, 403, "space_forbidden"],
    [MANAGE_KEY, "emit", { space: "/nowhere", ...EMIT }, 404, "unknown_space"],
  ]) {
    const answer = await callApi(server, route, body, key);
    assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(body));
  }
});

test("a body that is not as documented is refused with the reason", async () => {
  const deep = `{"items":[{"event":"a","to":{"room":"b"},"args":[${"[".repeat(200)}${"]".repeat(200)}]}]}`;
  const large = `{"items":[],"user":"${"a".repeat(8 << 20)}"}`;
  for (const [body, status, why] of [
    ["", 400, /not an object with keys of `space`, `user`, `items`/],
    ["[]", 400, /not an object with keys of/],
    [{ items: [EMIT.items[0], { event: 7 }] }, 400, /item 2: `event` must be a text/],
    ["{", 400, /EOF/],
    [Buffer.from([0x7b, 0xff, 0x7d]), 400, /not UTF-8/],
    [{}, 400, /the key `items` is missing/],
    [{ ...NOTHING, rooms: [] }, 400, /there is no key `rooms`/],
    [{ items: [{ event: "new message", to: { room: "a" } }] }, 400, /item 1: "new message" is not/],
    [{ items: [{ event: "a", to: {} }] }, 400, /item 1: `to` is one of/],
    [{ items: [{ event: "a", to: { room: "b" }, kept: true }] }, 400, /item 1 needs `user`/],
    [{ items: Array(1001).fill(EMIT.items[0]) }, 400, /more than 1000/],
    [deep, 400, /nested too deeply/],
    [large, 413, /too large/],
  ]) {
    const answer = await callApi(server, "emit", body);
    const label = String(body).slice(0, 80);
    assert.deepEqual([answer.status, typeof answer.body.code], [status, "string"], label);
    assert.match(answer.body.message, why, label);
  }
  for (const [body, details] of [
    [{}, { missing: ["items"] }],
    [
      { ...NOTHING, item: [] },
      { unknown: ["item"], nearest: { item: "items" } },
    ],
    [{ ...NOTHING, rooms: [] }, { unknown: ["rooms"] }],
    [
      { items: [{ event: "a", to: { room: "b" }, arg: [] }] },
      { unknown: ["arg"], nearest: { arg: "args" } },
    ],
    ["[]", { known: ["space", "user", "items"] }],
    [{ items: {} }, { expected: { items: "list" } }],
    [{ items: [7] }, { expected: { items: "list of objects" } }],
    [{ items: [{ event: "a", to: "b" }] }, { expected: { to: "object" } }],
  ]) {
    assert.deepEqual((await callApi(server, "emit", body)).body.details, details);
  }
  const { body } = await askApi(server, "rooms?limt=1");
  assert.deepEqual(body.details, { unknown: ["limt"], nearest: { limt: "limit" } });
  const many = await askApi(server, "rooms?limit=many");
  assert.deepEqual(many.body.details, { expected: { limit: "whole number" } });
  assert.deepEqual((await askApi(server, "presence")).body.details, { missing: ["user"] });
  const answer = await callApi(server, "emit", NOTHING);
  assert.deepEqual([answer.status, answer.body], [200, { results: [] }]);
});

test("a body with an encoding is refused", async () => {
  const headers = { authorization: `Bearer ${MANAGE_KEY}`, "content-type": "application/json" };
  for (const [encoding, status] of [
    ["gzip", 415],
    ["br", 415],
    ["identity, gzip", 415],
    ["Identity", 200],
  ]) {
    const options = { method: "POST", headers: { ...headers, "content-encoding": encoding } };
    const body = JSON.stringify(NOTHING);
    const answer = await httpRequest(server, "/api/v1/emit", { ...options, body });
    assert.equal(answer.status, status, encoding);
    if (status === 415) {
      assert.equal(answer.body.code, "unsupported_encoding");
      assert.equal(answer.headers["accept-encoding"], "identity");
    }
  }
});

test("a key that is refused is called one", async () => {
  for (const answer of [
    await callApi(server, "emit", EMIT, null),
    await callApi(server, "emit", EMIT, "x"),
    await callApi(server, "emit", EMIT, SHOP_KEY),
    await askApi(server, "history?room=a", PUBLISH_KEY),
    await httpRequest(server, "/api/v1/users", { headers: { authorization: "Basic !" } }),
  ]) {
    assert.match(answer.body.message, /API key/);
  }
});

test("the presence of as many users as may be is asked for at once", async () => {
  // Each of the longest names has 64 characters, and each of these 12 bytes as JSON escapes.
  const name = (number) => `${String(number).padStart(4, "0")}${"\u{20000}".repeat(60)}`;
  const users = Array.from({ length: 1000 }, (_, number) => name(number));
  const asEscape = (unit) => `\\u${unit.charCodeAt(0).toString(16)}`;
  const escaped = JSON.stringify({ users }).replace(/[\ud800-\udfff]/g, asEscape);
  for (const body of [{ users }, escaped]) {
    const { status, body: answer } = await callApi(server, "presence", body);
    assert.equal(status, 200, JSON.stringify(answer).slice(0, 200));
    assert.deepEqual(
      answer.users.map(({ user, online }) => [user, online]),
      users.map((user) => [user, false]),
    );
  }
  for (const [body, status] of [
    [{ users: [...users, "ann"] }, 400],
    [{ users: [] }, 400],
    [{ users: ["ann"], space: "/nowhere" }, 404],
  ]) {
    assert.equal((await callApi(server, "presence", body)).status, status);
  }
  assert.equal((await callApi(server, "presence", { users }, PUBLISH_KEY)).status, 403);
});

test("there is POST alone, with JSON", async () => {
  const headers = { authorization: `Bearer ${MANAGE_KEY}` };
  const get = await httpRequest(server, "/api/v1/emit", { headers });
  assert.deepEqual([get.status, get.headers.allow], [405, "POST"]);
  const text = { method: "POST", headers: { ...headers, "content-type": "text/plain" } };
  assert.equal((await httpRequest(server, "/api/v1/emit", { ...text, body: "{}" })).status, 400);
  const preflight = { method: "OPTIONS", headers: { origin: "http://a.example" } };
  const answer = await httpRequest(server, "/api/v1/emit", preflight);
  assert.equal(answer.headers["access-control-allow-origin"], undefined);
});

test("a question needs the scope, and parameters that it knows", async () => {
  for (const [question, key, status, code] of [
    ["history?room=a", PUBLISH_KEY, 403, "forbidden"],
    ["history?room=a&space=/nowhere", MANAGE_KEY, 404, "unknown_space"],
    ["history?room=a", "x", 401, "unauthorized"],
    ["history", MANAGE_KEY, 400, "bad_request"],
    ["history?room=a&rom=b", MANAGE_KEY, 400, "bad_request"],
    ["history?room=a&limit=201", MANAGE_KEY, 400, "bad_request"],
    ["history?room=a%zz", MANAGE_KEY, 400, "bad_request"],
    ["presence", MANAGE_KEY, 400, "bad_request"],
  ]) {
    const answer = await askApi(server, question, key);
    assert.deepEqual([answer.status, answer.body.code], [status, code], question);
  }
  const options = { method: "POST", headers: { authorization: `Bearer ${MANAGE_KEY}` } };
  const post = await httpRequest(server, "/api/v1/history?room=a", options);
  assert.deepEqual([post.status, post.headers.allow], [405, "GET, HEAD"]);
});

test("no key is in the log", async () => {
  await callApi(server, "emit", EMIT);
  for (const key of [MANAGE_KEY, PUBLISH_KEY, SHOP_KEY]) {
    assert.ok(!server.log.some((line) => line.includes(key)));
  }
  assert.ok(server.log.some((line) => line.includes("/api/v1/emit")));
});
