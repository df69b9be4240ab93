import { describe } from "node:test";

import { binaryBodies } from "../suites/binary.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO, MSGPACK_SOCKET_IO } from "../support/socket.io.mjs";

const server = serverForThisFile();

for (const clientType of [...ALL_SOCKET_IO, ...MSGPACK_SOCKET_IO]) {
  describe(`bytes over ${clientType.label}`, () => binaryBodies(clientType, server));
}
