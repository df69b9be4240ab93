import { describe } from "node:test";

import { members, membersAfterRestart, ROOMS } from "../chapters/members.mjs";
import { roles } from "../chapters/roles.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile({ settings: ROOMS });
const fresh = (t) => serverForThisTest(t, { settings: ROOMS });

describe("members over plain WebSocket", () => members(plain, server));
describe("members after a new start", () => membersAfterRestart(plain, fresh));
describe("roles over plain WebSocket", () => roles(plain, server));
