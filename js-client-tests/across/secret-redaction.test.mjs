// Secrets and tokens are in no log at any level, and in no page that is readable without a token.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  cookieHeader,
  createSession,
  deleteSession,
  getSession,
  sessionCookie,
} from "../support/cookie-session.mjs";
import { httpRequest } from "../support/http.mjs";
import { PlantedSecrets } from "../support/planted.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { tokenLocationsOf } from "../support/token-locations.mjs";
import { encodeJwt, epochSeconds } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

/** Secrets that are easy to find in a log. */
const SECRET = "PLANTED-secret-of-the-server-0123456789";
const KEY = "PLANTED-secret-of-the-back-end-0123456789";

const CLIENT_TYPES = [
  wsJson,
  socketIo("4.8", "polling"),
  socketIo("4.8", "websocket"),
  socketIo("4.8", "upgrade"),
  socketIo("2.5", "polling"),
  socketIo("1.7", "websocket"),
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
    const planted = new PlantedSecrets([SECRET, KEY]);
    for (const clientType of CLIENT_TYPES) {
      for (const location of tokenLocationsOf(clientType))
        await plant(server, clientType, location, planted);
      await guest(server, clientType, planted);
      await renew(server, clientType, planted);
    }
    await sessions(server, planted);
    await readPages(server, planted);
    await server.exitOn("SIGTERM");
    assert.ok(100 < server.log.length, "the log is not verbose");
    planted.assertAbsent(server.log.join("\n"), "the log");
  });
}

/** Sends valid and invalid tokens in one location. */
async function plant(server, clientType, { attach }, planted) {
  for (const make of MAKERS) {
    const token = make();
    planted.add(token);
    const options = attach(token);
    const { authorization = "" } = options.headers ?? {};
    if (authorization.startsWith("Basic")) planted.add(authorization.slice(6));
    await clientType.connect(server, options).then(
      (it) => it.close(),
      () => {},
    );
  }
}

const sub = () => unique("ann");
const MAKERS = [
  () => encodeJwt({ sub: sub(), exp: epochSeconds(600) }, { key: SECRET }),
  () => encodeJwt({ sub: sub(), exp: epochSeconds(600) }, { key: KEY }),
  () => encodeJwt({ sub: sub(), exp: epochSeconds(-600) }, { key: SECRET }),
  () => encodeJwt({ sub: sub(), exp: epochSeconds(600) }, { key: "another" }),
  () => unique("PLANTED-nonsense"),
];

/** Obtains a guest's token from the server. */
async function guest(server, clientType, planted) {
  const client = await clientType.connect(server);
  await client.identify(unique("guest"));
  planted.add(client.token);
  client.close();
}

/** Sends tokens on an open connection. */
async function renew(server, clientType, planted) {
  const client = await clientType.connect(server);
  for (const make of [...MAKERS].reverse()) {
    const token = make();
    planted.add(token);
    await client.ask("auth", { token });
  }
  client.close();
}

/** Sends tokens and cookies to the session API. */
async function sessions(server, planted) {
  for (const make of MAKERS) {
    const token = make();
    planted.add(token);
    const answer = await createSession(server, { token });
    const cookies = [cookieHeader(token)];
    if (answer.status === 200) cookies.push(cookieHeader(sessionCookie(answer).value));
    if (answer.status === 200) planted.add(sessionCookie(answer).value);
    for (const headers of cookies) {
      await getSession(server, headers);
      await createSession(server, `{"token": "${token}"`, headers);
      await httpRequest(server, `/api/session?token=${token}`, { method: "PUT", headers });
      await deleteSession(server, headers);
    }
  }
}

/** Public pages contain none of them; a metrics page may exist or not. */
async function readPages(server, planted) {
  for (const path of ["/", "/metrics", "/health/ready", "/nowhere"]) {
    const token = planted.make("nonsense");
    const headers = { ...cookieHeader(token), authorization: `Bearer ${token}` };
    const answer = await httpRequest(server, `${path}?token=${token}`, { headers });
    planted.assertAbsent(JSON.stringify(answer), path);
  }
}
