import { describe } from "node:test";

import { SPACES, spaces } from "../chapters/spaces.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { EVERY_WAY } from "../support/socket.io.mjs";

const server = serverForThisFile({ settings: { ...SPACES, "limits.presence_grace_ms": 100 } });

for (const way of EVERY_WAY) {
  describe(`spaces over ${way.label}`, () => spaces(way, server));
}
