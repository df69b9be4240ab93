import { describe } from "node:test";

import { readReceipts, readReceiptsInLargeRooms } from "../suites/read-receipts.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SECRET } from "../support/tokens.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "token.secret": SECRET } });
const strict = serverForThisFile({
  settings: { "token.secret": SECRET, "limits.receipts_members_max": 1 },
});

describe("read receipts over plain WebSocket", () => readReceipts(wsJson, server));
describe("read receipts in large rooms over plain WebSocket", () =>
  readReceiptsInLargeRooms(wsJson, strict));
