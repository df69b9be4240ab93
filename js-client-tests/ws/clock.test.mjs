import { describe } from "node:test";

import { CLOCK_SETTINGS, clock } from "../suites/clock.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: CLOCK_SETTINGS });

describe("the clock over plain WebSocket", () => clock(wsJson, server));
