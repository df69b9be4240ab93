import { describe } from "node:test";

import { presence, presenceGracePeriod, presenceQuery } from "../suites/presence.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";

const server = serverForThisFile({
  settings: { "token.secret": SECRET, "limits.presence_grace_ms": 100 },
});
const patient = serverForThisFile({ settings: { "limits.presence_grace_ms": 600_000 } });

for (const clientType of ALL_SOCKET_IO) {
  describe(`presence over ${clientType.label}`, () => presence(clientType, server));
  describe(`the grace period over ${clientType.label}`, () =>
    presenceGracePeriod(clientType, patient));
  describe(`the query presence over ${clientType.label}`, () => presenceQuery(clientType, server));
}
