// The echo application under `examples/backends/echo`, with official clients.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { firstLines, startProcess } from "../support/child-process.mjs";
import { freePort } from "../support/free-port.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { tempFile } from "../support/temp-file.mjs";
import { once, withTimeout } from "../support/timeouts.mjs";

const ECHO = new URL("../../examples/backends/echo/", import.meta.url);
/** The port in the settings. */
const PORT = /:8002/;
const AUTH = { mine: ["ü", { a: 1 }] };
/** What a client sends, in one event each. */
const ARGUMENTS = [
  [],
  [1, "2", { 3: [true, null] }],
  [Buffer.from([1, 2, 3])],
  [{ deep: [{ bytes: Buffer.from([4, 5]) }] }, "between", Buffer.alloc(0)],
];

const port = await freePort();
const backEnd = startProcess(process.execPath, [fileURLToPath(new URL("server.mjs", ECHO))], {
  env: { PORT: String(port) },
  stdio: ["ignore", "pipe", "inherit"],
});
after(() => backEnd.kill("SIGKILL"));
await firstLines("the start of the back end", backEnd.stdout);
const settings = await readFile(new URL("roomcast.toml", ECHO), "utf8");
const config = tempFile("roomcast.toml", settings.replace(PORT, `:${port}`));
const server = serverForThisFile({ config });

/** A socket, and the arguments of the event that it gets on connecting. */
async function open(t, clientType, space) {
  const socket = clientType.open(server.url, { space, extra: { auth: AUTH } });
  t.after(() => socket.io.engine.close());
  return { socket, auth: await once(socket, "auth") };
}

for (const version of ["4.8", "2.5", "2.3"]) {
  for (const transport of ["polling", "websocket"]) {
    const clientType = socketIo(version, transport);
    for (const space of ["/", "/custom"]) {
      describe(`the echo for ${clientType.label}, in ${space}`, () => {
        test("a connection receives what it sent as `auth`", async (t) => {
          const { auth } = await open(t, clientType, space);
          assert.deepEqual(auth, [clientType.legacy ? {} : AUTH]);
        });

        test("`message` comes back to its sender alone", async (t) => {
          const [one, other] = [await open(t, clientType, space), await open(t, clientType, space)];
          let others = 0;
          other.socket.on("message-back", () => {
            others += 1;
          });
          for (const args of ARGUMENTS) {
            one.socket.emit("message", ...args);
            assert.deepEqual(await once(one.socket, "message-back"), args);
          }
          other.socket.emit("message", "marker");
          await once(other.socket, "message-back");
          assert.equal(others, 1);
        });

        test("`message-with-ack` is acknowledged with its arguments", async (t) => {
          const { socket } = await open(t, clientType, space);
          for (const args of ARGUMENTS) {
            const acknowledged = new Promise((resolve) => {
              socket.emit("message-with-ack", ...args, (...them) => resolve(them));
            });
            assert.deepEqual(await withTimeout("the acknowledgement", acknowledged), args);
          }
        });
      });
    }
  }
}
