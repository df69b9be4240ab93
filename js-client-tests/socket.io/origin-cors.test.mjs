// Origins and CORS. docs/protocol.md "Codes": `origin_forbidden`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../support/fixtures.mjs";
import { fetchText, RawPolling } from "../support/raw-clients.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";

const ALLOWED_ORIGIN = "https://app.example";

const server = serverForThisFile({ settings: { origins: [ALLOWED_ORIGIN] } });

/** Origins that are similar to an allowed one. */
const STRANGERS = [
  "https://evil.example",
  "null",
  "http://app.example",
  "https://app.example:8443",
  "https://app.example.evil.example",
  "https://evil-app.example",
];

const handshake = () => `${server.url}/socket.io/?EIO=4&transport=polling`;

test("a page of an allowed origin may poll with credentials", async () => {
  const raw = await RawPolling.open(server, { headers: { origin: ALLOWED_ORIGIN } });
  assert.equal(raw.headers.get("access-control-allow-origin"), ALLOWED_ORIGIN);
  assert.equal(raw.headers.get("access-control-allow-credentials"), "true");
  assert.match(raw.headers.get("vary") ?? "", /origin/i);
});

test("its preflight is answered", async () => {
  const { status, headers } = await fetchText(handshake(), {
    method: "OPTIONS",
    headers: {
      origin: ALLOWED_ORIGIN,
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type",
    },
  });
  assert.ok([200, 204].includes(status), `answered ${status}`);
  assert.equal(headers.get("access-control-allow-origin"), ALLOWED_ORIGIN);
  assert.match(headers.get("access-control-allow-methods") ?? "", /POST/);
  assert.match(headers.get("access-control-allow-headers") ?? "", /content-type/i);
});

test("the server's own page needs no CORS headers", async (t) => {
  const headers = { origin: server.url };
  const raw = await RawPolling.open(server, { headers });
  assert.ok(raw.handshake.sid);
  for (const transport of ["polling", "websocket", "upgrade"]) {
    const extra = { extraHeaders: headers };
    const ann = await connect(t, socketIo("4.8", transport), server, { extra });
    await ann.identify(unique("ann"));
  }
});

for (const origin of STRANGERS) {
  test(`a page of ${origin} is refused`, async () => {
    const { refused } = await RawPolling.open(server, { headers: { origin } });
    assert.equal(refused.status, 403);
    assert.equal(JSON.parse(refused.body).code, "origin_forbidden");
    assert.notEqual(refused.headers.get("access-control-allow-origin"), origin);
    assert.notEqual(refused.headers.get("access-control-allow-origin"), "*");
    const extra = { extraHeaders: { origin } };
    for (const transport of ["polling", "websocket"]) {
      await socketIo("4.8", transport).refusal(server, { extra });
      await socketIo("2.5", transport).refusal(server, { extra });
    }
  });
}

test("a client without an origin is accepted", async (t) => {
  for (const transport of ["polling", "websocket"]) {
    await connect(t, socketIo("4.8", transport), server);
  }
});
