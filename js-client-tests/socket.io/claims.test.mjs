import { describe } from "node:test";

import { claims } from "../chapters/claims.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { EVERY_WAY } from "../support/socket.io.mjs";

const server = serverForThisFile({ settings: { "limits.presence_grace_ms": 100 } });

for (const way of EVERY_WAY) {
  describe(`what a token says over ${way.label}`, () => claims(way, server));
}
