import { describe } from "node:test";

import { tokenExpiry } from "../suites/token-expiry.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { wsJson } from "../support/ws.mjs";

const settings = { "token.guest_ttl_secs": 5, "limits.presence_grace_ms": 100 };
const server = serverForThisFile({ settings });

describe("token expiry over plain WebSocket", { concurrency: true }, () => {
  tokenExpiry(wsJson, server);
});
