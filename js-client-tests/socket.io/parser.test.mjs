// Clients with another parser than the default one. docs/protocol.md "Socket.IO".

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import parser from "socket.io-msgpack-parser";

import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO } from "../support/socket.io.mjs";
import { withTimeout } from "../support/timeouts.mjs";

const server = serverForThisFile({ settings: { spaces: ["/shop"] } });

for (const clientType of ALL_SOCKET_IO.filter(({ legacy }) => !legacy)) {
  for (const space of ["/", "/shop"]) {
    test(`socket.io-msgpack-parser is refused once at the default path: ${clientType.label}, ${space}`, async () => {
      const extra = { parser, reconnection: true, reconnectionDelay: 10, auth: { token: "x" } };
      const socket = clientType.open(server.url, { space, extra });
      let attempts = 0;
      socket.io.on("reconnect_attempt", () => {
        attempts += 1;
      });
      const [error] = await withTimeout("a refusal", once(socket, "connect_error"));
      assert.match(
        error.message,
        /^socket\.io-msgpack-parser is served under \/socket\.io-msgpack\//,
      );
      // Clients 3.x go on after any `connect_error`.
      if (clientType.version === "3.1") return socket.disconnect();
      assert.equal(socket.active, false);
      await withTimeout("the end of the connection", closed(socket.io));
      assert.equal(attempts, 0);
      assert.equal(socket.io._reconnecting, false);
    });
  }
}

/** Resolves when the manager has closed its connection for good. */
async function closed(manager) {
  while (manager._readyState !== "closed" || manager.engine.readyState !== "closed") {
    await new Promise(setImmediate);
  }
}
