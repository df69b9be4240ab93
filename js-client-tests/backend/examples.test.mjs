// The back ends under `examples/backends/`, with the settings beside them.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { assertRefused } from "../support/assert.mjs";
import { readLines, startProcess } from "../support/child-process.mjs";
import { connect, joinAsGuest } from "../support/fixtures.mjs";
import { freePort } from "../support/free-port.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { tempFile } from "../support/temp-file.mjs";
import { withTimeout } from "../support/timeouts.mjs";

const EXAMPLES = new URL("../../examples/backends/", import.meta.url);
const BACK_ENDS = {
  "Node.js": [process.execPath, "node/server.mjs"],
  Python: ["python3", "python/server.py"],
};
/** The port in the settings. */
const PORT = /:8001/;

for (const [language, [program, file]] of Object.entries(BACK_ENDS)) {
  test(`the back end in ${language} knows its users, answers an event, and publishes`, async (t) => {
    const [port, serverPort] = [await freePort(), await freePort()];
    const url = `http://127.0.0.1:${serverPort}`;
    await start(t, program, file, { PORT: String(port), ROOMCAST_URL: url });
    const settings = await readFile(new URL("roomcast.toml", EXAMPLES), "utf8");
    const config = tempFile("roomcast.toml", settings.replace(PORT, `:${port}`));
    const server = await serverForThisTest(t, { config, port: serverPort });
    const type = socketIo("4.8", "websocket");
    const ann = (await joinAsGuest(t, type, server, "ann")).listenTo("sum");
    const bob = (await joinAsGuest(t, type, server, "bob")).listenTo("sum");
    assert.equal(await ann.askWith("add", [1, 2.5]), 3.5);
    assert.deepEqual(await bob.next("sum"), [3.5]);
    assertRefused(await ann.askWith("add", ["x"]), "not_numbers");
    assert.deepEqual(ann.take("sum"), []);
    const known = await connect(t, type, server, { headers: { Cookie: "session=of-ann" } });
    assert.equal((await known.waitForWelcome()).name, "ann");
    bob.listenTo("order:created");
    const ordered = await fetch(`http://127.0.0.1:${port}/orders`, { method: "POST" });
    assert.equal(ordered.status, 204);
    assert.equal(typeof (await bob.next("order:created"))[0].at, "number");
    const forged = await fetch(`http://127.0.0.1:${port}/roomcast`, { method: "POST", body: "{}" });
    assert.equal(forged.status, 401);
  });
}

/** Starts a back end and waits until it listens. */
async function start(t, program, file, env) {
  const path = fileURLToPath(new URL(file, EXAMPLES));
  const child = startProcess(program, [path], { env, stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const listening = new Promise((resolve) => readLines(child.stdout, resolve));
  await withTimeout(`the start of ${file}`, listening);
}
