import { describe } from "node:test";

import { notify } from "../chapters/notify.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { EVERY_WAY } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";

const server = serverForThisFile({
  settings: { "token.secret": SECRET, "limits.presence_grace_ms": 100 },
});

for (const way of EVERY_WAY) {
  describe(`notifications over ${way.label}`, () => notify(way, server));
}
