import { describe } from "node:test";

import { history } from "../suites/history.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile();

describe("history over plain WebSocket", () => history(wsJson, server));
