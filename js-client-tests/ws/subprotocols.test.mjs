// Subprotocols. docs/protocol.md "Plain WebSocket": `Sec-WebSocket-Protocol`.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { connect } from "../support/fixtures.mjs";
import { httpRequest, upgradeHeaders } from "../support/http.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { STRICT_TOKEN_SETTINGS, validToken } from "../support/token-cases.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: STRICT_TOKEN_SETTINGS });

/** What a client offers, and what the server chooses. */
const CHOSEN = [
  ["roomcast.json", "roomcast.json"],
  ["roomcast.msgpack", "roomcast.msgpack"],
  ["roomcast.msgpack, roomcast.json", "roomcast.msgpack"],
  ["roomcast.json, roomcast.msgpack", "roomcast.json"],
  ["roomcast.bearer, TOKEN, roomcast.msgpack", "roomcast.msgpack"],
  ["nonsense, roomcast.json", "roomcast.json"],
  ["roomcast.json, nonsense", "roomcast.json"],
  [["nonsense", "roomcast.json"], "roomcast.json"],
  [" ,, roomcast.json ,", "roomcast.json"],
  ["roomcast.bearer, TOKEN", "roomcast.bearer"],
  ["roomcast.bearer,TOKEN", "roomcast.bearer"],
  [["roomcast.bearer", "TOKEN"], "roomcast.bearer"],
  ["nonsense, roomcast.bearer, TOKEN", "roomcast.bearer"],
  ["roomcast.json, roomcast.bearer, TOKEN", "roomcast.json"],
  ["roomcast.bearer, TOKEN, roomcast.json", "roomcast.json"],
];

/** Offers without a known subprotocol. */
const UNKNOWN = [
  ["nonsense", 400, "bad_request"],
  ["nonsense, Roomcast.Json, roomcast", 400, "bad_request"],
  [`b${" ".repeat(8000)}x`, 400, "bad_request"],
  [`b${" ".repeat(32_000)}x`, 431, undefined],
];

/** Offers with an invalid token. */
const TOKENLESS = [
  "roomcast.bearer",
  "roomcast.json, roomcast.bearer",
  "roomcast.bearer, roomcast.json",
  "roomcast.bearer, nonsense",
  "roomcast.bearer, TOKEN, roomcast.bearer, TOKEN",
];

const PATHS = {
  "plain WebSocket": "/ws",
  "the WebSocket of Socket.IO": "/socket.io/?EIO=4&transport=websocket",
};

for (const [wire, path] of Object.entries(PATHS)) {
  /** The answer to a handshake with this offer. */
  const offering = (offer) => {
    const token = validToken();
    const headers = { ...upgradeHeaders(), "sec-websocket-protocol": filled(offer, token) };
    return httpRequest(server, path, { headers });
  };

  describe(`subprotocols on ${wire}`, () => {
    test("the chosen subprotocol is in the answer", async () => {
      const spoken = path === "/ws" ? CHOSEN : CHOSEN.filter(([, it]) => it === "roomcast.bearer");
      for (const [offer, chosen] of spoken) {
        const { status, headers } = await offering(offer);
        assert.deepEqual([status, headers["sec-websocket-protocol"]], [101, chosen], `${offer}`);
      }
    });

    test("without an offer there is none in the answer", async () => {
      const { status, headers } = await httpRequest(server, path, { headers: upgradeHeaders() });
      assert.deepEqual([status, headers["sec-websocket-protocol"]], [101, undefined]);
    });

    test("an offer without a known subprotocol is refused", async () => {
      for (const [offer, ...expected] of UNKNOWN) {
        const { status, body } = await offering(offer);
        assert.deepEqual([status, body.code], expected, offer.slice(0, 80));
      }
    });

    test("an offer with an invalid token is refused like an invalid token", async () => {
      for (const offer of TOKENLESS) {
        const { status, body } = await offering(offer);
        if (path === "/ws") assert.deepEqual([status, body.code], [401, "unauthorized"], offer);
        else assert.equal(status, 101, offer); // the next test covers what follows
      }
    });
  });
}

test("official clients receive the refusal as `connect_error`", async () => {
  const io = socketIo("4.8", "websocket");
  for (const protocols of [["roomcast.bearer"], ["roomcast.bearer", "nonsense"]]) {
    assert.equal(await io.refusal(server, { protocols }), "unauthorized");
  }
});

test("official libraries accept the chosen subprotocol, and the token identifies the user", async (t) => {
  for (const [it, ...others] of [
    [wsJson, "roomcast.json"],
    [wsJson],
    [socketIo("4.8", "websocket")],
  ]) {
    const name = unique("ann");
    const protocols = [...others, "roomcast.bearer", validToken(name)];
    const ann = await connect(t, it, server, { protocols });
    assert.equal((await ann.waitForWelcome()).name, name);
    const { protocol } = ann.engine?.transport.ws ?? ann.socket;
    assert.equal(protocol, protocols[0]);
  }
});

function filled(offer, token) {
  if (Array.isArray(offer)) return offer.map((it) => filled(it, token));
  return offer.replaceAll("TOKEN", token);
}
