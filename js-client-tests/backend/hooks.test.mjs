import { describe } from "node:test";

import { backendHooks, HOOKS } from "../suites/backend-hooks.mjs";
import { BackEnd } from "../support/back-end.mjs";
import { wsMsgpack } from "../support/msgpack.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";
import { wsJson } from "../support/ws.mjs";

const backEnd = await BackEnd.forThisFile();
const server = serverForThisFile({
  settings: { ...backEnd.settings(HOOKS), "token.secret": SECRET },
});

for (const clientType of [
  socketIo("4.8", "websocket"),
  socketIo("2.3", "polling"),
  wsJson,
  wsMsgpack,
]) {
  describe(`requests that a back end decides about, over ${clientType.label}`, () =>
    backendHooks(clientType, server, backEnd));
}
