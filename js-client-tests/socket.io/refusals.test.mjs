import { describe } from "node:test";

import { refusals } from "../suites/refusals.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO } from "../support/socket.io.mjs";

const server = serverForThisFile();

for (const clientType of ALL_SOCKET_IO) {
  describe(`refusals over ${clientType.label}`, () => refusals(clientType, server));
}
