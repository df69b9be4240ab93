import { describe } from "node:test";

import { ROOM_SETTINGS } from "../suites/memberships.mjs";
import { topics } from "../suites/topics.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO } from "../support/socket.io.mjs";

const server = serverForThisFile({ settings: ROOM_SETTINGS });

for (const clientType of ALL_SOCKET_IO) {
  describe(`topics over ${clientType.label}`, () => topics(clientType, server));
}
