import { describe } from "node:test";

import { memberList, roomDirectory } from "../suites/lists.mjs";
import { ROOM_SETTINGS } from "../suites/memberships.mjs";
import { wsMsgpack } from "../support/msgpack.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: ROOM_SETTINGS });

for (const clientType of [wsJson, wsMsgpack]) {
  describe(`members over ${clientType.label}`, () => memberList(clientType, server));
  describe(`rooms over ${clientType.label}`, () => roomDirectory(clientType, server));
}
