import { describe } from "node:test";

import { comingBack, comingBackToAnother, comingBackToRooms } from "../chapters/reconnect.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { EVERY_WAY, way } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";

const server = serverForThisFile({ settings: { "token.secret": SECRET } });

for (const way of EVERY_WAY) {
  describe(`coming back over ${way.label}`, () => comingBack(way, server));
  describe(`rooms of who comes back over ${way.label}`, () => comingBackToRooms(way, server));
}

for (const it of [way("4.8", "websocket"), way("2.5", "polling")]) {
  describe(`coming back to another server over ${it.label}`, () => {
    comingBackToAnother(it, serverForThisTest);
  });
}
