import { describe } from "node:test";

import { backendConnect, CONNECT_HOOK } from "../suites/backend-connect.mjs";
import { BackEnd } from "../support/back-end.mjs";
import { wsMsgpack } from "../support/msgpack.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { MSGPACK_SOCKET_IO, socketIo } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";
import { wsJson } from "../support/ws.mjs";

const backEnd = await BackEnd.forThisFile();
const settings = { ...backEnd.settings(CONNECT_HOOK), "token.secret": SECRET };
const server = serverForThisFile({ settings });

const CLIENT_TYPES = [
  socketIo("4.8", "websocket"),
  socketIo("4.8", "polling"),
  socketIo("4.8", "upgrade"),
  socketIo("2.5", "websocket"),
  wsJson,
  wsMsgpack,
  ...MSGPACK_SOCKET_IO,
];

for (const clientType of CLIENT_TYPES) {
  describe(`connections behind ${clientType.label}`, () =>
    backendConnect(clientType, server, backEnd));
}
