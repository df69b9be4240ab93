import { describe } from "node:test";

import { rooms } from "../suites/rooms.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile();

describe("rooms over plain WebSocket", () => rooms(wsJson, server));
