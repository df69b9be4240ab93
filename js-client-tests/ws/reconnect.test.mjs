import { describe } from "node:test";

import { comingBack, comingBackToAnother, comingBackToRooms } from "../chapters/reconnect.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { SECRET } from "../support/tokens.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { "token.secret": SECRET } });

describe("coming back over plain WebSocket", () => comingBack(plain, server));
describe("rooms of who comes back over plain WebSocket", () => comingBackToRooms(plain, server));

describe("coming back to another server", () => comingBackToAnother(plain, serverForThisTest));
