// What opens doors is in no log, however much is logged, and on no page that anybody may read.

import assert from "node:assert/strict";
import { test } from "node:test";

import { exchange } from "../support/http.mjs";
import { unique } from "../support/names.mjs";
import { placesOf } from "../support/places.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { begin, carrying, cookieOf, end, look } from "../support/session.mjs";
import { way } from "../support/socket.io.mjs";
import { epoch, jwt } from "../support/tokens.mjs";
import { plain } from "../support/ws.mjs";

/** What the server knows and nobody else may: easy to find again. */
const SECRET = "PLANTED-secret-of-the-server-0123456789";
const KEY = "PLANTED-secret-of-the-back-end-0123456789";

const WAYS = [
  plain,
  way("4.8", "polling"),
  way("4.8", "websocket"),
  way("4.8", "upgrade"),
  way("2.5", "polling"),
  way("1.7", "websocket"),
];

const CLOSED = { "token.in_query": "off" };

for (const [format, closed] of [
  ["text", {}],
  ["json", {}],
  ["text", CLOSED],
]) {
  const what = `${format}${closed === CLOSED ? ", no tokens in addresses" : ""}`;
  test(`no secret is in the log at its most verbose: ${what}`, async (t) => {
    const server = await serverForThisTest(t, {
      settings: { "token.keys": [{ secret: KEY }], ...closed },
      env: { ROOMCAST_TOKEN_SECRET: SECRET },
      logging: { format, filter: "trace" },
    });
    const planted = [SECRET, KEY];
    for (const way of WAYS) {
      for (const place of placesOf(way)) await plant(server, way, place, planted);
      await guest(server, way, planted);
      await renew(server, way, planted);
    }
    await sessions(server, planted);
    await told(server, planted);
    await server.leave("SIGTERM");
    assert.ok(100 < server.log.length, "that is not verbose");
    none(planted, server.log.join("\n"), "the log");
  });
}

/** Tokens good and bad in one place. */
async function plant(server, way, { carry }, planted) {
  for (const make of MAKERS) {
    const token = make();
    planted.push(token);
    const options = carry(token);
    const { authorization = "" } = options.headers ?? {};
    if (authorization.startsWith("Basic")) planted.push(authorization.slice(6));
    await way.connect(server, options).then(
      (it) => it.close(),
      () => {},
    );
  }
}

const sub = () => unique("ann");
const MAKERS = [
  () => jwt({ sub: sub(), exp: epoch(600) }, { key: SECRET }),
  () => jwt({ sub: sub(), exp: epoch(600) }, { key: KEY }),
  () => jwt({ sub: sub(), exp: epoch(-600) }, { key: SECRET }),
  () => jwt({ sub: sub(), exp: epoch(600) }, { key: "another" }),
  () => unique("PLANTED-nonsense"),
];

/** A token that the server gives. */
async function guest(server, way, planted) {
  const client = await way.connect(server);
  await client.identify(unique("guest"));
  planted.push(client.token);
  client.close();
}

/** Tokens in the middle of a connection. */
async function renew(server, way, planted) {
  const client = await way.connect(server);
  for (const make of [...MAKERS].reverse()) {
    const token = make();
    planted.push(token);
    await client.ask("auth", { token });
  }
  client.close();
}

/** The cookie API, with what it is given and what it gives. */
async function sessions(server, planted) {
  for (const make of MAKERS) {
    const token = make();
    planted.push(token);
    const answer = await begin(server, { token });
    const cookies = [carrying(token)];
    if (answer.status === 200) cookies.push(carrying(cookieOf(answer).value));
    if (answer.status === 200) planted.push(cookieOf(answer).value);
    for (const headers of cookies) {
      await look(server, headers);
      await begin(server, `{"token": "${token}"`, headers);
      await exchange(server, `/api/session?token=${token}`, { method: "PUT", headers });
      await end(server, headers);
    }
  }
}

/** Nothing that anybody may read holds them; a metrics page may be there or not. */
async function told(server, planted) {
  for (const path of ["/", "/metrics", "/health/ready", "/nowhere"]) {
    const token = planted.at(-1);
    const headers = { ...carrying(token), authorization: `Bearer ${token}` };
    const answer = await exchange(server, `${path}?token=${token}`, { headers });
    none(planted, JSON.stringify(answer), path);
  }
}

/** Neither whole nor the part that makes a token one. */
function none(planted, text, where) {
  const parts = new Set(planted.flatMap((it) => [it, it.split(".")[2] ?? it]));
  const found = [...parts].filter((it) => text.includes(it));
  assert.deepEqual(found, [], `${where} holds a secret`);
}
