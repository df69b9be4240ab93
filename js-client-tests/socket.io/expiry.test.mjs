import { describe } from "node:test";

import { expiry } from "../chapters/expiry.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SOME_WAYS } from "../support/socket.io.mjs";

const settings = { "token.guest_ttl_secs": 5, "limits.presence_grace_ms": 100 };
const server = serverForThisFile({ settings });

for (const way of SOME_WAYS) {
  describe(`the end of a token over ${way.label}`, { concurrency: true }, () => {
    expiry(way, server);
  });
}
