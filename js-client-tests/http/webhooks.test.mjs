// Dead letters of webhooks over the HTTP API: what is refused. docs/webhooks.md.
//
// What is listed and sent again is in tests/it/webhooks.rs.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  API_SETTINGS,
  askApi,
  callApi,
  MANAGE_KEY,
  PUBLISH_KEY,
  ROOT_KEY,
  SHOP_KEY,
} from "../support/api.mjs";
import { httpRequest } from "../support/http.mjs";
import { serverForThisFile } from "../support/server.mjs";

// Nobody listens there, and nothing is sent: no user goes offline.
const url = "http://127.0.0.1:9/hook";
const webhooks = [{ name: "audit", url, events: ["user.offline"] }];
const server = serverForThisFile({ settings: { ...API_SETTINGS, webhooks } });
const without = serverForThisFile({ settings: API_SETTINGS });

const DEAD = "webhooks/dead";
const RESEND = "webhooks/resend";

test("there are no dead letters at first", async () => {
  for (const query of ["", "?webhook=audit&limit=1000"]) {
    const { status, body } = await askApi(server, DEAD + query);
    assert.deepEqual([status, body], [200, { dead: [] }]);
  }
  const { status, body } = await callApi(server, RESEND, { webhook: "audit" });
  assert.deepEqual([status, body], [200, { ok: true, resent: 0 }]);
});

test("a key needs the scope, and has to be for all spaces", async () => {
  for (const [key, status, code] of [
    ["x", 401, "unauthorized"],
    [PUBLISH_KEY, 403, "forbidden"],
    [SHOP_KEY, 403, "space_forbidden"],
    [ROOT_KEY, 403, "space_forbidden"],
    [MANAGE_KEY, 200, undefined],
  ]) {
    for (const answer of [
      await askApi(server, DEAD, key),
      await callApi(server, RESEND, { webhook: "audit" }, key),
    ]) {
      assert.deepEqual([answer.status, answer.body.code], [status, code], key);
    }
  }
});

test("other questions are refused with the reason", async () => {
  for (const [query, reason] of [
    ["?webhook=other", /no webhook of this name/],
    ["?name=audit", /there is no key `name`/],
    ["?limit=0", /1 to 1000/],
    ["?limit=1001", /1 to 1000/],
    ["?after=7", /an id is that of an event/],
    ["?after=msg_other_7", /an id is that of an event/],
  ]) {
    const { status, body } = await askApi(server, DEAD + query);
    assert.deepEqual([status, body.code], [400, "bad_request"], query);
    assert.match(body.message, reason);
  }
  for (const [request, reason] of [
    [{}, /one of `ids` and `webhook`/],
    [{ ids: ["7"] }, /an id is that of an event/],
    [{ webhook: "other" }, /no webhook of this name/],
    ["[", /not an object with keys of/],
  ]) {
    const { status, body } = await callApi(server, RESEND, request);
    assert.deepEqual([status, body.code], [400, "bad_request"], JSON.stringify(request));
    assert.match(body.message, reason);
  }
  assert.equal((await askApi(without, DEAD)).status, 400);
});

test("each route has one method", async () => {
  const headers = { authorization: `Bearer ${MANAGE_KEY}` };
  for (const [route, method, allow] of [
    [DEAD, "POST", "GET, HEAD"],
    [RESEND, "GET", "POST"],
  ]) {
    const answer = await httpRequest(server, `/api/v1/${route}`, { method, headers });
    assert.deepEqual([answer.status, answer.headers.allow], [405, allow]);
  }
});
