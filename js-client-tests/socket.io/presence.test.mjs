import { describe } from "node:test";

import { presence, presenceInTheGrace, whoIsOnline } from "../chapters/presence.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { EVERY_WAY } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";

const server = serverForThisFile({
  settings: { "token.secret": SECRET, "limits.presence_grace_ms": 100 },
});
const patient = serverForThisFile({ settings: { "limits.presence_grace_ms": 600_000 } });

for (const way of EVERY_WAY) {
  describe(`presence over ${way.label}`, () => presence(way, server));
  describe(`within the grace over ${way.label}`, () => presenceInTheGrace(way, patient));
  describe(`who is online over ${way.label}`, () => whoIsOnline(way, server));
}
