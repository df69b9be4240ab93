import { describe } from "node:test";

import { reconnecting, reconnectingToNewLog, reconnectingToRooms } from "../suites/reconnect.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { SECRET } from "../support/tokens.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "token.secret": SECRET } });

describe("coming back over plain WebSocket", () => reconnecting(wsJson, server));
describe("rooms of who comes back over plain WebSocket", () => reconnectingToRooms(wsJson, server));

describe("coming back to another server", () => reconnectingToNewLog(wsJson, serverForThisTest));
