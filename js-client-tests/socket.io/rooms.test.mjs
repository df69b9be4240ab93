import { describe } from "node:test";

import { rooms } from "../chapters/rooms.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { EVERY_WAY } from "../support/socket.io.mjs";

const server = serverForThisFile();

for (const way of EVERY_WAY) {
  describe(`rooms over ${way.label}`, () => rooms(way, server));
}
