import { describe } from "node:test";

import { directMessages } from "../suites/direct-messages.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SECRET } from "../support/tokens.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({
  settings: { "token.secret": SECRET, "limits.presence_grace_ms": 100 },
});

describe("direct messages over plain WebSocket", () => directMessages(wsJson, server));
