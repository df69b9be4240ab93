import { describe } from "node:test";

import { refusals } from "../chapters/refusals.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { EVERY_WAY } from "../support/socket.io.mjs";

const server = serverForThisFile();

for (const way of EVERY_WAY) {
  describe(`refusals over ${way.label}`, () => refusals(way, server));
}
