import { describe } from "node:test";

import { readReceipts, readReceiptsInLargeRooms } from "../suites/read-receipts.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";

const server = serverForThisFile({ settings: { "token.secret": SECRET } });
const strict = serverForThisFile({
  settings: { "token.secret": SECRET, "limits.receipts_members_max": 1 },
});

for (const clientType of ALL_SOCKET_IO) {
  describe(`read receipts over ${clientType.label}`, () => readReceipts(clientType, server));
  describe(`read receipts in large rooms over ${clientType.label}`, () =>
    readReceiptsInLargeRooms(clientType, strict));
}
