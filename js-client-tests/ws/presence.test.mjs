import { describe } from "node:test";

import { presence, presenceGracePeriod, presenceQuery } from "../suites/presence.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SECRET } from "../support/tokens.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({
  settings: { "token.secret": SECRET, "limits.presence_grace_ms": 100 },
});
const patient = serverForThisFile({ settings: { "limits.presence_grace_ms": 600_000 } });

describe("presence over plain WebSocket", () => presence(wsJson, server));
describe("the grace period over plain WebSocket", () => presenceGracePeriod(wsJson, patient));
describe("the query presence over plain WebSocket", () => presenceQuery(wsJson, server));
