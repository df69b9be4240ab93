import { describe } from "node:test";

import { reading, readingInLargeRooms } from "../chapters/reading.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SECRET } from "../support/tokens.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "token.secret": SECRET } });
const strict = serverForThisFile({
  settings: { "token.secret": SECRET, "limits.receipts_members_max": 1 },
});

describe("reading over plain WebSocket", () => reading(plain, server));
describe("large rooms over plain WebSocket", () => readingInLargeRooms(plain, strict));
