import { describe } from "node:test";

import { binaryBodies } from "../suites/binary.mjs";
import { wsMsgpack } from "../support/msgpack.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile();

for (const clientType of [wsJson, wsMsgpack]) {
  describe(`bytes over ${clientType.label}`, () => binaryBodies(clientType, server));
}
