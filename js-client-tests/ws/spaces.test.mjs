import { describe } from "node:test";

import { SPACES, spaces } from "../suites/spaces.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { ...SPACES, "limits.presence_grace_ms": 100 } });

describe("spaces over plain WebSocket", () => spaces(wsJson, server));
