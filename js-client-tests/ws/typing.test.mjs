import { describe } from "node:test";

import { SETTINGS, typing, typingForLong, typingInCrowds } from "../chapters/typing.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile({ settings: SETTINGS });
const crowded = serverForThisFile({ settings: { ...SETTINGS, "limits.presence_list_max": 1 } });

describe("typing over plain WebSocket", () => typing(plain, server));
describe("typing for long over plain WebSocket", () => typingForLong(plain, server));
describe("typing in crowds over plain WebSocket", () => typingInCrowds(plain, crowded));
