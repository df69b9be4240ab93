import { describe } from "node:test";

import { binary } from "../chapters/binary.mjs";
import { packed } from "../support/msgpack.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile();

for (const way of [plain, packed]) {
  describe(`bytes over ${way.label}`, () => binary(way, server));
}
