import { describe } from "node:test";

import { reconnecting, reconnectingToNewLog, reconnectingToRooms } from "../suites/reconnect.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { ALL_SOCKET_IO, socketIo } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";

const server = serverForThisFile({ settings: { "token.secret": SECRET } });

for (const clientType of ALL_SOCKET_IO) {
  describe(`reconnecting over ${clientType.label}`, () => reconnecting(clientType, server));
  describe(`reconnecting to rooms over ${clientType.label}`, () =>
    reconnectingToRooms(clientType, server));
}

for (const it of [socketIo("4.8", "websocket"), socketIo("2.5", "polling")]) {
  describe(`reconnecting to another database over ${it.label}`, () => {
    reconnectingToNewLog(it, serverForThisTest);
  });
}
