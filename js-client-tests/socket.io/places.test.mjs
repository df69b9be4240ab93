import { describe } from "node:test";

import { places, placesButTheQuery } from "../chapters/places.mjs";
import { STRICT } from "../support/operator.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { EVERY_WAY, SOME_WAYS } from "../support/socket.io.mjs";

const server = serverForThisFile({ settings: STRICT });
const strict = serverForThisFile({ settings: { ...STRICT, "token.in_query": "off" } });

for (const way of EVERY_WAY) {
  describe(`a token over ${way.label}`, () => places(way, server));
}

for (const way of SOME_WAYS) {
  describe(`no token in the address over ${way.label}`, () => placesButTheQuery(way, strict));
}
