import { describe } from "node:test";

import { TYPING_SETTINGS, typing, typingInLargeRooms, typingTimeout } from "../suites/typing.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO, socketIo } from "../support/socket.io.mjs";

const server = serverForThisFile({ settings: TYPING_SETTINGS });
const largeRooms = serverForThisFile({
  settings: { ...TYPING_SETTINGS, "limits.presence_list_max": 1 },
});

for (const clientType of ALL_SOCKET_IO) {
  describe(`typing over ${clientType.label}`, () => typing(clientType, server));
  describe(`typing in large rooms over ${clientType.label}`, () =>
    typingInLargeRooms(clientType, largeRooms));
}

describe("the typing timeout", () => typingTimeout(socketIo("2.5", "polling"), server));
