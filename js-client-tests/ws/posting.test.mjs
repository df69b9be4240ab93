import { describe } from "node:test";

import { posting } from "../suites/posting.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile();

describe("posting over plain WebSocket", () => posting(wsJson, server));
