import { describe } from "node:test";

import { rooms } from "../chapters/rooms.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile();

describe("rooms over plain WebSocket", () => rooms(plain, server));
