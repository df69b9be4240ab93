import { describe } from "node:test";

import { history } from "../chapters/history.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile();

describe("history over plain WebSocket", () => history(plain, server));
