import { describe } from "node:test";

import { customEvents, EVENT_SETTINGS } from "../suites/custom-events.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { MSGPACK_SOCKET_IO, SOME_SOCKET_IO } from "../support/socket.io.mjs";

const server = serverForThisFile({ settings: EVENT_SETTINGS });

for (const clientType of [...SOME_SOCKET_IO, ...MSGPACK_SOCKET_IO]) {
  describe(`events of the application over ${clientType.label}`, () =>
    customEvents(clientType, server));
}
