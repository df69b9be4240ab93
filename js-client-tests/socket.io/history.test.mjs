import { describe } from "node:test";

import { history } from "../suites/history.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO } from "../support/socket.io.mjs";

const server = serverForThisFile();

for (const clientType of ALL_SOCKET_IO) {
  describe(`history over ${clientType.label}`, () => history(clientType, server));
}
