import { describe } from "node:test";

import { displayNames, NAME_SETTINGS } from "../suites/display-names.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { MSGPACK_SOCKET_IO, SOME_SOCKET_IO } from "../support/socket.io.mjs";

const server = serverForThisFile({ settings: NAME_SETTINGS });

for (const clientType of [...SOME_SOCKET_IO, ...MSGPACK_SOCKET_IO]) {
  describe(`display names over ${clientType.label}`, () => displayNames(clientType, server));
}
