import { describe } from "node:test";

import { memberList, roomDirectory } from "../suites/lists.mjs";
import { ROOM_SETTINGS } from "../suites/memberships.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO } from "../support/socket.io.mjs";

const server = serverForThisFile({ settings: ROOM_SETTINGS });

for (const clientType of ALL_SOCKET_IO) {
  describe(`members over ${clientType.label}`, () => memberList(clientType, server));
  describe(`rooms over ${clientType.label}`, () => roomDirectory(clientType, server));
}
