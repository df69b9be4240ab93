import { describe } from "node:test";

import { members, membersAfterRestart, ROOMS } from "../chapters/members.mjs";
import { roles } from "../chapters/roles.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { EVERY_WAY, way } from "../support/socket.io.mjs";

const server = serverForThisFile({ settings: ROOMS });
const fresh = (t) => serverForThisTest(t, { settings: ROOMS });

for (const way of EVERY_WAY) {
  describe(`members over ${way.label}`, () => members(way, server));
  describe(`roles over ${way.label}`, () => roles(way, server));
}

describe("members after a new start", () => membersAfterRestart(way("2.5", "polling"), fresh));
