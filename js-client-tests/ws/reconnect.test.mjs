import { describe } from "node:test";

import { comingBack } from "../chapters/reconnect.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile();

describe("coming back over plain WebSocket", () => comingBack(plain, server));
