import { describe } from "node:test";

import { tokenClaims } from "../suites/token-claims.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO } from "../support/socket.io.mjs";

const server = serverForThisFile({ settings: { "limits.presence_grace_ms": 100 } });

for (const clientType of ALL_SOCKET_IO) {
  describe(`token claims over ${clientType.label}`, () => tokenClaims(clientType, server));
}
