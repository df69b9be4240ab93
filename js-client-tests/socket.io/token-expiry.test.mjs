import { describe } from "node:test";

import { tokenExpiry } from "../suites/token-expiry.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SOME_SOCKET_IO } from "../support/socket.io.mjs";

const settings = { "token.guest_ttl_secs": 5, "limits.presence_grace_ms": 100 };
const server = serverForThisFile({ settings });

for (const clientType of SOME_SOCKET_IO) {
  describe(`token expiry over ${clientType.label}`, { concurrency: true }, () => {
    tokenExpiry(clientType, server);
  });
}
