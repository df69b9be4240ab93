import { describe } from "node:test";

import { notifications } from "../suites/notifications.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SECRET } from "../support/tokens.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({
  settings: { "token.secret": SECRET, "limits.presence_grace_ms": 100 },
});

describe("notifications over plain WebSocket", () => notifications(wsJson, server));
