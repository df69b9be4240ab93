import { describe } from "node:test";

import { tokenClaims } from "../suites/token-claims.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "limits.presence_grace_ms": 100 } });

describe("token claims over plain WebSocket", () => tokenClaims(wsJson, server));
