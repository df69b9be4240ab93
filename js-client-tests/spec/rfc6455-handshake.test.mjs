// RFC 6455, section 4: the server's side of the opening handshake.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { httpRequest, upgradeHeaders } from "../support/http.mjs";
import { serverForThisFile } from "../support/server.mjs";

const server = serverForThisFile();

/** The answer to a handshake with other headers: `undefined` leaves one out. */
function handshake(changes = {}, options = {}) {
  const entries = Object.entries({ ...upgradeHeaders(), ...changes });
  const headers = Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  return httpRequest(server, options.path ?? "/ws", { ...options, headers });
}

/** The example of section 1.3. */
const EXAMPLE = {
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  accept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
};

describe("4.2.1 what is accepted", () => {
  test("the accept key is that of the example", async () => {
    const { accept, ...headers } = EXAMPLE;
    const answer = await handshake(headers);
    assert.equal(answer.status, 101);
    assert.equal(answer.headers["sec-websocket-accept"], accept);
    assert.equal(answer.headers.upgrade.toLowerCase(), "websocket");
    assert.equal(answer.headers.connection.toLowerCase(), "upgrade");
    assert.equal(answer.headers["sec-websocket-protocol"], undefined);
    assert.equal(answer.headers["sec-websocket-extensions"], undefined);
  });

  for (const [what, changes] of Object.entries({
    "Upgrade in another case": { upgrade: "WebSocket" },
    "Upgrade in a list": { upgrade: "h2c, websocket" },
    "Connection in another case": { connection: "UPGRADE" },
    "Connection in a list": { connection: "keep-alive, Upgrade" },
    "Connection in a list without spaces": { connection: "Upgrade,keep-alive" },
    "Connection in two headers": { connection: ["keep-alive", "Upgrade"] },
    "names of headers in another case": {
      "sec-websocket-key": undefined,
      "SEC-WebSocket-KEY": EXAMPLE["sec-websocket-key"],
    },
    "extensions that nobody knows": { "sec-websocket-extensions": "x-unknown; a=1, x-other" },
    "an extension as frames of old browsers have it": {
      "sec-websocket-extensions": "x-webkit-deflate-frame",
    },
    "an empty offer of subprotocols": { "sec-websocket-protocol": "" },
  })) {
    test(what, async () => {
      const { status, headers } = await handshake(changes);
      assert.equal(status, 101);
      assert.equal(headers["sec-websocket-extensions"], undefined);
    });
  }

  test("the first known subprotocol is chosen", async () => {
    for (const [offer, chosen] of [
      ["echo-protocol", "echo-protocol"],
      ["unknown, echo-protocol, hello", "echo-protocol"],
      ["hello,echo-protocol", "hello"],
      [["unknown", "echo-protocol"], "echo-protocol"],
    ]) {
      const { status, headers } = await handshake({ "sec-websocket-protocol": offer });
      assert.deepEqual([status, headers["sec-websocket-protocol"]], [101, chosen], `${offer}`);
    }
    const { status, body } = await handshake({ "sec-websocket-protocol": "Echo-Protocol" });
    assert.deepEqual([status, body.code], [400, "bad_request"], "the case counts");
  });
});

describe("4.2.1, 4.4 what is refused", () => {
  const NOT_AN_UPGRADE = [426, "bad_request"];

  for (const [what, changes] of Object.entries({
    "no Upgrade": { upgrade: undefined },
    "another Upgrade": { upgrade: "h2c" },
    "an Upgrade that only begins so": { upgrade: "websocket2" },
    "no Connection": { connection: undefined },
    "another Connection": { connection: "keep-alive" },
    "no version": { "sec-websocket-version": undefined },
    "version 8": { "sec-websocket-version": "8" },
    "version 0": { "sec-websocket-version": "0" },
    "version 14": { "sec-websocket-version": "14" },
    "a version that is no number": { "sec-websocket-version": "13a" },
    "two versions": { "sec-websocket-version": "13, 8" },
  })) {
    test(`${what}: 426 with the version that is spoken`, async () => {
      const { status, headers, body } = await handshake(changes);
      assert.deepEqual([status, body.code], NOT_AN_UPGRADE);
      assert.equal(headers["sec-websocket-version"], "13");
      assert.equal(headers.upgrade, "websocket");
    });
  }

  for (const [what, key] of Object.entries({
    "no key": undefined,
    "an empty key": "",
    "a key of 15 bytes": Buffer.alloc(15).toString("base64"),
    "a key of 17 bytes": Buffer.alloc(17).toString("base64"),
    "a key that is not base64": "*".repeat(24),
    "a key without its padding": "dGhlIHNhbXBsZSBub25jZQ",
    "two keys": [EXAMPLE["sec-websocket-key"], EXAMPLE["sec-websocket-key"]],
  })) {
    test(`${what}: 400`, async () => {
      const { status, body } = await handshake({ "sec-websocket-key": key });
      assert.deepEqual([status, body.code], [400, "bad_request"]);
    });
  }

  for (const method of ["POST", "PUT", "DELETE", "HEAD"]) {
    test(`${method}: no upgrade`, async () => {
      const { status, headers } = await handshake({}, { method });
      assert.ok([405, 426].includes(status), `${status}`);
      assert.equal(headers["sec-websocket-accept"], undefined);
    });
  }

  test("the handshake counts on every path of /ws, and on no other", async () => {
    assert.equal((await handshake({}, { path: "/ws/room" })).status, 101);
    assert.notEqual((await handshake({}, { path: "/health" })).status, 101);
  });
});
