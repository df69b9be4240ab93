// Requests from pages of other origins, to every endpoint. docs/protocol.md "Codes":
// `origin_forbidden`.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { httpRequest, upgradeHeaders } from "../support/http.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";

const ALLOWED_ORIGIN = "https://app.example";

const server = serverForThisFile({
  settings: { origins: [ALLOWED_ORIGIN, "https://*.example.com", "http://*.dev.example:5173"] },
});

/** Every request that a page may make, and the status that an allowed origin gets. */
const ENDPOINTS = {
  "/ws": { path: "/ws", headers: upgradeHeaders, status: 101 },
  "/ws/{room}": { path: "/ws/news", headers: upgradeHeaders, status: 101 },
  "Socket.IO over WebSocket": {
    path: "/socket.io/?EIO=4&transport=websocket",
    headers: upgradeHeaders,
    status: 101,
  },
  "older Socket.IO over WebSocket": {
    path: "/socket.io/?EIO=3&transport=websocket",
    headers: upgradeHeaders,
    status: 101,
  },
  "Socket.IO over polling": {
    path: "/socket.io/?EIO=4&transport=polling",
    status: 200,
    cors: true,
  },
  "older Socket.IO over polling": {
    path: "/socket.io/?EIO=3&transport=polling",
    status: 200,
    cors: true,
  },
  "GET /api/session": { path: "/api/session", status: 200, cors: true },
  "POST /api/session": {
    path: "/api/session",
    method: "POST",
    headers: () => ({ "content-type": "application/json" }),
    body: () => JSON.stringify({ name: unique("ann") }),
    status: 200,
    cors: true,
  },
  "DELETE /api/session": { path: "/api/session", method: "DELETE", status: 204, cors: true },
};

const ALLOWED_ORIGINS = () => [
  ALLOWED_ORIGIN,
  "https://chat.example.com",
  "https://a.b-c.example.com",
  "http://one.dev.example:5173",
];

/** The server's own origin; behind a proxy it cannot know the scheme. */
const OWN_ORIGINS = () => [server.url, server.url.replace("http", "https")];

const OTHER_ORIGINS = () => [
  "null",
  "",
  "https://evil.example",
  "http://app.example",
  "https://app.example:8443",
  "https://app.example:443",
  "https://app.example:80",
  "https://app.example.evil.example",
  "https://evil-app.example",
  "https://evilapp.example",
  "https://app.example.",
  "https://app.example/",
  "https://app.example/path",
  "https://app.example#",
  "https://app.example?x",
  "https://app.example\\@evil.example",
  "https://app.example@evil.example",
  "https://evil.example/https://app.example",
  "https://APP.example",
  "HTTPS://app.example",
  "https://app.example, https://app.example",
  "https://app.example https://evil.example",
  "https://xn--pp-7ia.example", // äpp.example
  "https://xn--pp-1ic.example", // with a Cyrillic letter
  Buffer.from("https://аpp.example").toString("latin1"), // the same letter in UTF-8
  "https://\u00e0pp.example",
  "https://example.com",
  "https://.example.com",
  "https://*.example.com",
  "https://x.example.com.evil.example",
  "https://evilexample.com",
  "https://x.example.com:8443",
  "http://x.example.com",
  "https://evil.example?.example.com",
  "https://evil.example#.example.com",
  "https://evil.example/.example.com",
  "https://evil.example\\.example.com",
  "https://x..example.com",
  "https://x@y.example.com",
  "http://one.dev.example",
  "http://one.dev.example:51730",
  "http://localhost:5173",
  "file://",
  "app.example",
  "//app.example",
  `http://127.0.0.1:${server.port + 1}`,
  "http://127.0.0.1",
  `http://localhost:${server.port}`,
  `http://127.0.0.1:${server.port}.evil.example`,
  `http://127.0.0.1:${server.port}@evil.example`,
  `${server.url}/`,
  `ftp://127.0.0.1:${server.port}`,
];

for (const [name, endpoint] of Object.entries(ENDPOINTS)) {
  const request = (headers) =>
    httpRequest(server, endpoint.path, {
      method: endpoint.method,
      headers: { ...endpoint.headers?.(), ...headers },
      body: endpoint.body?.(),
    });

  describe(`origins at ${name}`, () => {
    test("allowed origins may connect and read the answer", async () => {
      for (const origin of ALLOWED_ORIGINS()) {
        const { status, headers } = await request({ origin });
        assert.equal(status, endpoint.status, origin);
        if (!endpoint.cors) continue;
        assert.equal(headers["access-control-allow-origin"], origin);
        assert.equal(headers["access-control-allow-credentials"], "true");
        assert.match(headers.vary, /\borigin\b/i);
      }
    });

    test("the server's own origin, and clients without one, are accepted", async () => {
      for (const headers of [{}, ...OWN_ORIGINS().map((origin) => ({ origin }))]) {
        const answer = await request(headers);
        assert.equal(answer.status, endpoint.status, headers.origin);
        assert.equal(answer.headers["access-control-allow-origin"], undefined);
      }
    });

    test("other origins are refused before anything else", async () => {
      const two = [
        [ALLOWED_ORIGIN, ALLOWED_ORIGIN],
        [ALLOWED_ORIGIN, "https://evil.example"],
        ["null", ALLOWED_ORIGIN],
      ];
      for (const origin of [...OTHER_ORIGINS(), ...two]) {
        const { status, headers, body } = await request({ origin });
        assert.deepEqual([status, body.code], [403, "origin_forbidden"], `${origin}`);
        assert.equal(headers["access-control-allow-origin"], undefined);
        assert.equal(headers["set-cookie"], undefined);
      }
    });
  });
}

for (const [path, methods] of [
  ["/api/session", ["GET", "POST", "DELETE"]],
  ["/socket.io/?EIO=4&transport=polling", ["GET", "POST"]],
]) {
  const preflight = (origin) =>
    httpRequest(server, path, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": methods.at(-1),
        "access-control-request-headers": "content-type",
      },
    });

  test(`allowed origins pass the preflight: ${path}`, async () => {
    for (const origin of ALLOWED_ORIGINS()) {
      const { status, headers } = await preflight(origin);
      assert.equal(status, 204);
      assert.equal(headers["access-control-allow-origin"], origin);
      assert.equal(headers["access-control-allow-credentials"], "true");
      assert.match(headers["access-control-allow-headers"], /content-type/i);
      const allowed = headers["access-control-allow-methods"].split(/, */);
      assert.ok(
        methods.every((it) => allowed.includes(it)),
        `${allowed}`,
      );
      assert.doesNotMatch(Object.values(headers).join(), /\*/);
    }
  });

  test(`other origins do not pass the preflight: ${path}`, async () => {
    for (const origin of OTHER_ORIGINS()) {
      const { status, headers } = await preflight(origin);
      assert.equal(status, 403, origin);
      assert.deepEqual(
        Object.keys(headers).filter((it) => it.startsWith("access-control")),
        [],
      );
    }
  });
}
