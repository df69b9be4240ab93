import { describe } from "node:test";

import { TYPING_SETTINGS, typing, typingInLargeRooms, typingTimeout } from "../suites/typing.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: TYPING_SETTINGS });
const largeRooms = serverForThisFile({
  settings: { ...TYPING_SETTINGS, "limits.presence_list_max": 1 },
});

describe("typing over plain WebSocket", () => typing(wsJson, server));
describe("the typing timeout over plain WebSocket", () => typingTimeout(wsJson, server));
describe("typing in large rooms over plain WebSocket", () =>
  typingInLargeRooms(wsJson, largeRooms));
