import { describe } from "node:test";

import { posting } from "../chapters/post.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { EVERY_WAY } from "../support/socket.io.mjs";

const server = serverForThisFile();

for (const way of EVERY_WAY) {
  describe(`posting over ${way.label}`, () => posting(way, server));
}
