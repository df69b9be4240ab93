import { describe } from "node:test";

import { history } from "../chapters/history.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { EVERY_WAY } from "../support/socket.io.mjs";

const server = serverForThisFile();

for (const way of EVERY_WAY) {
  describe(`history over ${way.label}`, () => history(way, server));
}
