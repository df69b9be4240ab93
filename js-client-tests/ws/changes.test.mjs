import { describe } from "node:test";

import { changes } from "../chapters/changes.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SECRET } from "../support/tokens.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "token.secret": SECRET } });

describe("changes over plain WebSocket", () => changes(plain, server));
