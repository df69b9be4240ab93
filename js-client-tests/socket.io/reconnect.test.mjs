import { describe } from "node:test";

import { comingBack, comingBackToAnother } from "../chapters/reconnect.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { EVERY_WAY, way } from "../support/socket.io.mjs";

const server = serverForThisFile();

for (const way of EVERY_WAY) {
  describe(`coming back over ${way.label}`, () => comingBack(way, server));
}

for (const it of [way("4.8", "websocket"), way("2.5", "polling")]) {
  describe(`coming back to another server over ${it.label}`, () => {
    comingBackToAnother(it, serverForThisTest);
  });
}
