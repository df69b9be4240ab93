import { describe } from "node:test";

import { comingBack, comingBackToAnother } from "../chapters/reconnect.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile();

describe("coming back over plain WebSocket", () => comingBack(plain, server));

describe("coming back to another server", () => comingBackToAnother(plain, serverForThisTest));
