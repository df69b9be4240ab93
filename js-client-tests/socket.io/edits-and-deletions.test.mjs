import { describe } from "node:test";

import { editsAndDeletions } from "../suites/edits-and-deletions.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";

const server = serverForThisFile({ settings: { "token.secret": SECRET } });

for (const clientType of ALL_SOCKET_IO) {
  describe(`edits and deletions over ${clientType.label}`, () =>
    editsAndDeletions(clientType, server));
}
