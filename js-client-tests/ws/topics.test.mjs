import { describe } from "node:test";

import { ROOM_SETTINGS } from "../suites/memberships.mjs";
import { topics } from "../suites/topics.mjs";
import { wsMsgpack } from "../support/msgpack.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: ROOM_SETTINGS });

for (const clientType of [wsJson, wsMsgpack]) {
  describe(`topics over ${clientType.label}`, () => topics(clientType, server));
}
