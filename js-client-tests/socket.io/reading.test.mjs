import { describe } from "node:test";

import { reading, readingInLargeRooms } from "../chapters/reading.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { EVERY_WAY } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";

const server = serverForThisFile({ settings: { "token.secret": SECRET } });
const strict = serverForThisFile({
  settings: { "token.secret": SECRET, "limits.receipts_members_max": 1 },
});

for (const way of EVERY_WAY) {
  describe(`reading over ${way.label}`, () => reading(way, server));
  describe(`large rooms over ${way.label}`, () => readingInLargeRooms(way, strict));
}
