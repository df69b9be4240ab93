import { describe } from "node:test";

import { reconnecting, reconnectingToNewLog, reconnectingToRooms } from "../suites/reconnect.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { SECRET } from "../support/tokens.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "token.secret": SECRET } });

describe("reconnecting over plain WebSocket", () => reconnecting(wsJson, server));
describe("reconnecting to rooms over plain WebSocket", () => reconnectingToRooms(wsJson, server));

describe("reconnecting to another database", () => reconnectingToNewLog(wsJson, serverForThisTest));
