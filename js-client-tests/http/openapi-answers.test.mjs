// Answers of the HTTP API that have something to list: as /api/openapi.json says, and no key more.
// What schemathesis asks about is mostly empty.

import assert from "node:assert/strict";
import { test } from "node:test";

import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

import {
  API_SETTINGS,
  apiKey,
  askApi,
  callApi,
  changeByApi,
  deleteByApi,
} from "../support/api.mjs";
import { withoutOtherKeys } from "../support/contract.mjs";
import { connect, joinAsUser } from "../support/fixtures.mjs";
import { httpRequest } from "../support/http.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SECRET } from "../support/tokens.mjs";
import { wsJson } from "../support/ws.mjs";

const SLOW_KEY = "rcast_slow-0123456789abcdefgh";
const settings = {
  ...API_SETTINGS,
  api_keys: [
    ...API_SETTINGS.api_keys,
    apiKey("slow", SLOW_KEY, ["read"], { per_second_max: 1, burst_max: 1 }),
  ],
  "token.secret": SECRET,
};
const server = serverForThisFile({ settings });

async function openApi() {
  const { body } = await httpRequest(server, "/api/openapi.json");
  return JSON.parse(JSON.stringify(body), withoutOtherKeys);
}

/** Fails if the document has another answer than this for the route and the method. */
function assertDocumented(document, method, route, { status, headers, body }) {
  const answer = document.paths[route][method].responses[status];
  assert.ok(answer, `${method} ${route}: ${status}`);
  const { schema } = answer.content["application/json"];
  const ajv = addFormats(new Ajv2020({ strict: false }));
  const isValid = ajv.compile({ ...schema, components: document.components });
  assert.ok(
    isValid(body),
    `${method} ${route}: ${JSON.stringify(body)} ${ajv.errorsText(isValid.errors)}`,
  );
  for (const name of Object.keys(answer.headers ?? {})) {
    assert.ok(headers[name.toLowerCase()], `${method} ${route}: the header ${name}`);
  }
}

test("answers that list something are as the document says", async (t) => {
  const document = await openApi();
  const ann = await joinAsUser(t, wsJson, server, "ann", { device: "desk" });
  ann.answerAsks("whoami", () => [{ name: ann.name }, null]);
  await connect(t, wsJson, server, {});
  const posted = { items: [{ room: "lobby", user: ann.name, msg: "hi" }] };
  const members = "/api/v1/rooms/{room}/members";
  const member = `rooms/lobby/members/${ann.name}`;
  const topic = "/api/v1/rooms/{room}/topic";
  const plans = { topic: "Plans", user: ann.name };
  const bobs = { user: "bob", until: "2100-01-01T00:00:00Z", reason: "spam" };
  const revocations = "/api/v1/revocations";
  const bobsTokens = { user: "bob", issued_before: "2020-01-01T00:00:00Z" };
  const asked = { event: "whoami", to: { user: ann.name }, timeout_ms: 10_000 };
  for (const [method, route, answer, count] of [
    ["post", "/api/v1/messages", await callApi(server, "messages", posted), "results"],
    ["get", "/api/v1/history", await askApi(server, "history?room=lobby"), "messages"],
    ["get", "/api/v1/presence", await askApi(server, `presence?user=${ann.name}`), "users"],
    ["post", "/api/v1/presence", await callApi(server, "presence", { users: ["bob"] }), "users"],
    ["get", "/api/v1/users", await askApi(server, "users"), "users"],
    ["get", "/api/v1/users", await askApi(server, "users?limit=1"), "users"],
    ["get", "/api/v1/connections", await askApi(server, "connections"), "connections"],
    ["get", "/api/v1/connections", await askApi(server, "connections?limit=1"), "connections"],
    ["put", topic, await changeByApi(server, "PUT", "rooms/lobby/topic", plans)],
    ["get", "/api/v1/rooms", await askApi(server, "rooms"), "rooms"],
    ["get", "/api/v1/rooms/{room}", await askApi(server, "rooms/lobby")],
    ["get", "/api/v1/rooms/{room}", await askApi(server, "rooms/nobody")],
    ["get", members, await askApi(server, "rooms/lobby/members"), "members"],
    ["put", `${members}/{user}`, await changeByApi(server, "PUT", member, { role: "admin" })],
    ["post", "/api/v1/ask", await callApi(server, "ask", asked), "answers"],
    ["post", "/api/v1/bans", await callApi(server, "bans", bobs)],
    ["get", "/api/v1/bans", await askApi(server, "bans"), "bans"],
    ["post", "/api/v1/bans", await callApi(server, "bans", { ...bobs, space: "*" })],
    ["get", "/api/v1/bans", await askApi(server, "bans?space=*"), "bans"],
    ["post", revocations, await callApi(server, "revocations", { jti: "1", until: bobs.until })],
    ["post", revocations, await callApi(server, "revocations", bobsTokens)],
    ["get", revocations, await askApi(server, "revocations"), "revocations"],
    ["get", revocations, await askApi(server, "revocations?limit=1"), "revocations"],
    ["delete", revocations, await deleteByApi(server, "revocations?user=bob")],
    ["delete", `${members}/{user}`, await changeByApi(server, "DELETE", member)],
    ["post", "/api/v1/rooms/{room}/empty", await changeByApi(server, "POST", "rooms/lobby/empty")],
  ]) {
    assertDocumented(document, method, route, answer);
    if (count) assert.ok(0 < answer.body[count].length, `${route} lists something`);
  }
});

test("a key that is too fast is refused as the document says", async () => {
  const document = await openApi();
  await askApi(server, "users", SLOW_KEY);
  const refused = await askApi(server, "users", SLOW_KEY);
  assert.equal(refused.status, 429);
  assert.ok(document.paths["/api/v1/users"].get.responses[429].headers["retry-after"]);
  assertDocumented(document, "get", "/api/v1/users", refused);
});
