import { describe } from "node:test";

import { SETTINGS, typing, typingForLong, typingInCrowds } from "../chapters/typing.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { EVERY_WAY, way } from "../support/socket.io.mjs";

const server = serverForThisFile({ settings: SETTINGS });
const crowded = serverForThisFile({ settings: { ...SETTINGS, "limits.presence_list_max": 1 } });

for (const way of EVERY_WAY) {
  describe(`typing over ${way.label}`, () => typing(way, server));
  describe(`typing in crowds over ${way.label}`, () => typingInCrowds(way, crowded));
}

describe("typing for long", () => typingForLong(way("2.5", "polling"), server));
