import { describe } from "node:test";

import { comingBack } from "../chapters/reconnect.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { EVERY_WAY } from "../support/socket.io.mjs";

const server = serverForThisFile();

for (const way of EVERY_WAY) {
  describe(`coming back over ${way.label}`, () => comingBack(way, server));
}
