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
/** By language: the command that starts a back end at a port, and where it says that it listens. */
const BACK_ENDS = {
  "Node.js": [() => [process.execPath, pathOf("node/server.mjs")], "stdout"],
  Python: [() => ["python3", pathOf("python/server.py")], "stdout"],
  PHP: [(port) => ["php", "-S", `127.0.0.1:${port}`, pathOf("php/server.php")], "stderr"],
};
/** The port in the settings. */
const PORT = /:8001/;

for (const [language, [command, stream]] of Object.entries(BACK_ENDS)) {
  test(`the back end in ${language} knows its users, answers an event, and publishes`, async (t) => {
    const [port, serverPort] = [await freePort(), await freePort()];
    const url = `http://127.0.0.1:${serverPort}`;
    await start(t, command(port), stream, { PORT: String(port), ROOMCAST_URL: url });
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
async function start(t, [program, ...args], stream, env) {
  const stdio = { stdout: ["ignore", "pipe", "inherit"], stderr: ["ignore", "ignore", "pipe"] };
  const child = startProcess(program, args, { env, stdio: stdio[stream] });
  t.after(() => child.kill("SIGKILL"));
  const listening = new Promise((resolve) => readLines(child[stream], resolve));
  await withTimeout(`the start of ${program}`, listening);
}

function pathOf(file) {
  return fileURLToPath(new URL(file, EXAMPLES));
}
