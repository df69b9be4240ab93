import { describe } from "node:test";

import { notify } from "../chapters/notify.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { SECRET } from "../support/tokens.mjs";
import { plain } from "../support/ws.mjs";

const server = serverForThisFile({
  settings: { "token.secret": SECRET, "limits.presence_grace_ms": 100 },
});

describe("notifications over plain WebSocket", () => notify(plain, server));
