import { describe } from "node:test";

import { SPACES, spaces } from "../chapters/spaces.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { ...SPACES, "limits.presence_grace_ms": 100 } });

describe("spaces over plain WebSocket", () => spaces(plain, server));
