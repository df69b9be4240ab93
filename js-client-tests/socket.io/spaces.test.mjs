import { describe } from "node:test";

import { SPACES, spaces } from "../suites/spaces.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO, MSGPACK_SOCKET_IO } from "../support/socket.io.mjs";

const server = serverForThisFile({ settings: { ...SPACES, "limits.presence_grace_ms": 100 } });

for (const clientType of [...ALL_SOCKET_IO, ...MSGPACK_SOCKET_IO]) {
  describe(`spaces over ${clientType.label}`, () => spaces(clientType, server));
}
