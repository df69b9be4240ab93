import { describe } from "node:test";

import { displayNames, NAME_SETTINGS } from "../suites/display-names.mjs";
import { wsMsgpack } from "../support/msgpack.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: NAME_SETTINGS });

for (const clientType of [wsJson, wsMsgpack]) {
  describe(`display names over ${clientType.label}`, () => displayNames(clientType, server));
}
