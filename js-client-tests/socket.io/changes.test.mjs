import { describe } from "node:test";

import { changes } from "../chapters/changes.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { EVERY_WAY } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";

const server = serverForThisFile({ settings: { "token.secret": SECRET } });

for (const way of EVERY_WAY) {
  describe(`changes over ${way.label}`, () => changes(way, server));
}
