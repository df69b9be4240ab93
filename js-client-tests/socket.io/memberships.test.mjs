import { describe } from "node:test";

import { memberships, membershipsAfterRestart, ROOM_SETTINGS } from "../suites/memberships.mjs";
import { roles } from "../suites/roles.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { ALL_SOCKET_IO, socketIo } from "../support/socket.io.mjs";

const server = serverForThisFile({ settings: ROOM_SETTINGS });
const fresh = (t) => serverForThisTest(t, { settings: ROOM_SETTINGS });

for (const clientType of ALL_SOCKET_IO) {
  describe(`memberships over ${clientType.label}`, () => memberships(clientType, server));
  describe(`roles over ${clientType.label}`, () => roles(clientType, server));
}

describe("memberships after a restart", () =>
  membershipsAfterRestart(socketIo("2.5", "polling"), fresh));
