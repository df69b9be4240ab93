import { describe } from "node:test";

import { CLOCK_SETTINGS, clock } from "../suites/clock.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SOME_SOCKET_IO } from "../support/socket.io.mjs";

const server = serverForThisFile({ settings: CLOCK_SETTINGS });

for (const clientType of SOME_SOCKET_IO) {
  describe(`the clock over ${clientType.label}`, () => clock(clientType, server));
}
