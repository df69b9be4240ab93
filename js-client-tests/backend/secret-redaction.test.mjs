// Secrets of back ends, keys of the API, signatures, cookies, and what back ends say, are in no log at
// any level, whatever fails. Those of tokens: across/secret-redaction.test.mjs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { API_SETTINGS, MANAGE_KEY, PUBLISH_KEY, SHOP_KEY } from "../support/api.mjs";
import { BackEnd, SECRETS } from "../support/back-end.mjs";
import { httpRequest } from "../support/http.mjs";
import { PlantedSecrets } from "../support/planted.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { encodeJwt, epochSeconds } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const SECRET = "PLANTED-secret-of-the-server-0123456789";
/** A user who can be invited. */
const EVE = "eve";
const KEYS = [PUBLISH_KEY, MANAGE_KEY, SHOP_KEY];
const CLIENT_TYPES = [
  wsJson,
  socketIo("4.8", "polling"),
  socketIo("4.8", "websocket"),
  socketIo("2.5", "websocket"),
];

const backEnd = await BackEnd.forThisFile();

/** How a back end answers any call: functions of a secret and the identity of the connection. */
const ANSWERS = {
  well:
    (secret, identity) =>
    ({ type }) =>
      ({
        connect: { identity, data: { secret } },
        event: { ack: [secret] },
        message: { msg: secret },
      })[type] ?? {},
  refuse: (secret) => () => ({ refuse: { code: "no", message: secret, data: { secret } } }),
  "with 500": (secret) => (_, response) =>
    void response.writeHead(500, { "X-It": secret }).end(secret),
  "with a redirect": (secret) => (_, response) =>
    void response.writeHead(302, { Location: `/${secret}` }).end(),
  "no JSON": (secret) => (_, response) => void response.end(`{"${secret}": ${secret}`),
  "another form": (secret) => () => ({ identity: secret, ack: secret, do: secret }),
  "an unknown key": (secret) => () => ({ [secret]: secret }),
  "an unknown action": (secret) => () => ({ do: [{ [secret]: { secret } }] }),
  "a bad action": (secret) => () => ({
    do: [{ emit: { event: secret, to: { [secret]: secret } } }],
  }),
  "not at all": () => (_, response) => void response.destroy(),
};

for (const format of ["text", "json"]) {
  test(`no secret is in the log at its most verbose: ${format}`, async (t) => {
    const planted = new PlantedSecrets([SECRET, ...SECRETS, ...KEYS]);
    const server = await serverForThisTest(t, {
      settings: settings(planted),
      env: { ROOMCAST_TOKEN_SECRET: SECRET },
      logging: { format, filter: "trace" },
      expectedLog: [/back end only fails, and is not called for now/],
    });
    const callsBefore = backEnd.calls.length;
    backEnd.answer("connect", { identity: { user: EVE } });
    (await wsJson.connect(server)).close();
    for (const clientType of CLIENT_TYPES) {
      for (const make of Object.values(ANSWERS)) await visit(server, clientType, make, planted);
    }
    await callApi(server, planted);
    const calls = backEnd.calls.slice(callsBefore);
    const kinds = new Set(calls.map(({ call }) => call.type));
    assert.deepEqual([...kinds].sort(), ["connect", "event", "invite", "join", "message"]);
    for (const { headers } of calls) {
      planted.add(...headers["webhook-signature"].split(" ").map((it) => it.slice("v1,".length)));
    }
    await server.exitOn("SIGTERM");
    assert.ok(100 < server.log.length, "the log is not verbose");
    planted.assertAbsent(server.log.join("\n"), "the log");
  });
}

/** A back end with all hooks, whose address has a password, and keys of the API. */
function settings(planted) {
  const { events, backends } = backEnd.settings({
    hooks: ["connect", "message", "join", "invite"],
    headers: ["Cookie", "Authorization", "X-Session"],
  });
  const url = backEnd.url.replace("//", `//user:${planted.make("password")}@`);
  planted.basic(new URL(url).password);
  return { events, backends: backends.map((it) => ({ ...it, url })), ...API_SETTINGS };
}

/** One connection that the back end accepts or not, and one whose requests it answers this way. */
async function visit(server, clientType, make, planted) {
  const event = unique("event");
  const answer = (what) => make(planted.make(what), { user: unique("ann") });
  backEnd.answer("connect", answer("refusal"));
  const refused = await clientType.connect(server, handshake(clientType, planted)).catch(() => {});
  refused?.close();
  backEnd.answer("connect", ANSWERS.well(planted.make("data"), { user: unique("bob") }));
  // Also asked about the lobby, when the connection enters.
  backEnd.answer("join", {});
  const client = await clientType.connect(server, handshake(clientType, planted)).catch(() => {});
  // The circuit of the back end may be open after so many failures.
  if (!client) return;
  const room = unique("room");
  await client.ask("join", room);
  for (const type of ["message", "join", "invite", event]) backEnd.answer(type, answer("answer"));
  await client.askWith(event, [planted.make("argument"), { [planted.make("key")]: 1 }]);
  await client.ask("send message", planted.make("message"));
  await client.ask("join", unique("room"));
  await client.ask("invite", { room, user: EVE });
  for (const token of [makeToken(planted), planted.make("nonsense")]) {
    await client.ask("auth", { token });
  }
  client.close();
}

/** A handshake with a secret wherever one may be. */
function handshake(clientType, planted) {
  const auth = { password: planted.make("auth") };
  const headers = {
    Cookie: `session=${planted.make("cookie")}; other=${planted.make("cookie")}`,
    "X-Session": planted.make("header"),
    Authorization: `Bearer ${makeToken(planted)}`,
  };
  const hasAuth = clientType.wire === "socket.io" && !clientType.legacy;
  return {
    headers,
    query: { secret: planted.make("query") },
    ...(hasAuth && { extra: { auth } }),
  };
}

function makeToken(planted) {
  const token = encodeJwt({ sub: unique("ann"), exp: epochSeconds(600) }, { key: SECRET });
  planted.add(token);
  return token;
}

/** Good and bad keys in good and bad places, with good and bad bodies. */
async function callApi(server, planted) {
  const secret = planted.make("value");
  const item = { event: "tick", args: [secret], to: { room: "lobby" } };
  const bodies = [
    JSON.stringify({ items: [item] }),
    JSON.stringify({ items: [{ ...item, to: { [secret]: secret } }] }),
    JSON.stringify({ [secret]: secret, do: [{ disconnect: { user: secret } }] }),
    `{"items": "${secret}"`,
    secret,
  ];
  for (const key of [...KEYS, planted.make("key")]) {
    const places = [
      { headers: { authorization: `Bearer ${key}` } },
      { headers: { authorization: planted.basic(key) } },
      { headers: { authorization: key } },
      { headers: { cookie: `key=${key}`, "x-api-key": key } },
      { query: `?key=${key}&token=${key}` },
    ];
    for (const { headers = {}, query = "" } of places) {
      for (const route of ["emit", "messages", "notifications", "actions"]) {
        for (const body of bodies) {
          const all = { "content-type": "application/json", ...headers };
          const request = { method: "POST", headers: all, body };
          await httpRequest(server, `/api/v1/${route}${query}`, request);
        }
      }
      await httpRequest(server, `/api/v1/history?room=lobby${query.replace("?", "&")}`, {
        headers,
      });
      await httpRequest(server, `/api/v1/presence?user=${secret}`, { headers });
    }
  }
}
