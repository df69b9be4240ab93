import { describe } from "node:test";

import { posting } from "../suites/posting.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO } from "../support/socket.io.mjs";

const server = serverForThisFile();

for (const clientType of ALL_SOCKET_IO) {
  describe(`posting over ${clientType.label}`, () => posting(clientType, server));
}
