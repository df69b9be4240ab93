import { describe } from "node:test";

import { claims } from "../chapters/claims.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "limits.presence_grace_ms": 100 } });

describe("what a token says over plain WebSocket", () => claims(plain, server));
