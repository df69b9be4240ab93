import { describe } from "node:test";

import { binary } from "../chapters/binary.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { EVERY_WAY } from "../support/socket.io.mjs";

const server = serverForThisFile();

for (const way of EVERY_WAY) {
  describe(`bytes over ${way.label}`, () => binary(way, server));
}
