import { describe } from "node:test";

import { rooms } from "../suites/rooms.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO } from "../support/socket.io.mjs";

const server = serverForThisFile();

for (const clientType of ALL_SOCKET_IO) {
  describe(`rooms over ${clientType.label}`, () => rooms(clientType, server));
}
