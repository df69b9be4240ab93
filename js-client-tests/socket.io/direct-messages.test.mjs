import { describe } from "node:test";

import { directMessages } from "../suites/direct-messages.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";

const server = serverForThisFile({
  settings: { "token.secret": SECRET, "limits.presence_grace_ms": 100 },
});

for (const clientType of ALL_SOCKET_IO) {
  describe(`direct messages over ${clientType.label}`, () => directMessages(clientType, server));
}
