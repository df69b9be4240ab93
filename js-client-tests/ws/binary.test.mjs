import { describe } from "node:test";

import { binary } from "../chapters/binary.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile();

describe("bytes over plain WebSocket", () => binary(plain, server));
