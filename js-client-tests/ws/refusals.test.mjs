import { describe } from "node:test";

import { refusals } from "../suites/refusals.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile();

describe("refusals over plain WebSocket", () => refusals(wsJson, server));
