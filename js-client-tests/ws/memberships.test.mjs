import { describe } from "node:test";

import { memberships, membershipsAfterRestart, ROOM_SETTINGS } from "../suites/memberships.mjs";
import { roles } from "../suites/roles.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: ROOM_SETTINGS });
const fresh = (t) => serverForThisTest(t, { settings: ROOM_SETTINGS });

describe("memberships over plain WebSocket", () => memberships(wsJson, server));
describe("memberships after a restart", () => membershipsAfterRestart(wsJson, fresh));
describe("roles over plain WebSocket", () => roles(wsJson, server));
