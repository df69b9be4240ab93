import { describe } from "node:test";

import { tokenLocations, tokenNotInQuery } from "../suites/token-locations.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO, SOME_SOCKET_IO } from "../support/socket.io.mjs";
import { STRICT_TOKEN_SETTINGS } from "../support/token-cases.mjs";

const server = serverForThisFile({ settings: STRICT_TOKEN_SETTINGS });
const strict = serverForThisFile({
  settings: { ...STRICT_TOKEN_SETTINGS, "token.in_query": "off" },
});

for (const clientType of ALL_SOCKET_IO) {
  describe(`token locations over ${clientType.label}`, () => tokenLocations(clientType, server));
}

for (const clientType of SOME_SOCKET_IO) {
  describe(`tokens in the address refused over ${clientType.label}`, () =>
    tokenNotInQuery(clientType, strict));
}
