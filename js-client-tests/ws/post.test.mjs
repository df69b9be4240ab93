import { describe } from "node:test";

import { posting } from "../chapters/post.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile();

describe("posting over plain WebSocket", () => posting(plain, server));
