import { describe } from "node:test";

import { refusals } from "../chapters/refusals.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile();

describe("refusals over plain WebSocket", () => refusals(plain, server));
