import { describe } from "node:test";

import { backendEvents } from "../suites/backend-events.mjs";
import { BackEnd } from "../support/back-end.mjs";
import { wsMsgpack } from "../support/msgpack.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";
import { wsJson } from "../support/ws.mjs";

const backEnd = await BackEnd.forThisFile();
const server = serverForThisFile({ settings: { ...backEnd.settings(), "token.secret": SECRET } });

const CLIENT_TYPES = [
  socketIo("4.8", "websocket"),
  socketIo("4.8", "polling"),
  socketIo("2.5", "websocket"),
  wsJson,
  wsMsgpack,
];

for (const clientType of CLIENT_TYPES) {
  describe(`a back end behind ${clientType.label}`, () =>
    backendEvents(clientType, server, backEnd));
}
