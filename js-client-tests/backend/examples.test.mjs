// The back ends under `examples/backends/`, with the settings beside them.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { assertRefused } from "../support/assert.mjs";
import { firstLines, startProcess } from "../support/child-process.mjs";
import { connect, joinAsGuest } from "../support/fixtures.mjs";
import { freePort } from "../support/free-port.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { tempFile } from "../support/temp-file.mjs";

const EXAMPLES = new URL("../../examples/backends/", import.meta.url);
/** By language: the command that starts a back end at a port, and where it says that it listens. */
const BACK_ENDS = {
  "Node.js": [() => [process.execPath, pathOf("node/server.mjs")], "stdout"],
  Python: [() => ["python3", pathOf("python/server.py")], "stdout"],
  PHP: [(port) => ["php", "-S", `127.0.0.1:${port}`, pathOf("php/server.php")], "stderr"],
};
/** The port in the settings. */
const PORT = /:8001/;
const SECRET = "a secret of at least 24 bytes";
/** Further than this from the clock of the back end, a request is refused. */
const TOLERATED_SECONDS = 300;
/** More than the test takes. */
const MARGIN_SECONDS = 60;

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
    await assertChecksSignatures(`http://127.0.0.1:${port}/roomcast`);
  });
}

/** Asserts that a back end answers what Roomcast has signed a moment ago, and refuses the rest. */
async function assertChecksSignatures(url) {
  const call = { type: "event", event: "add", args: [1, 2], connection: "node.c1" };
  const body = JSON.stringify(call);
  const send = (headers, sent = body) => fetch(url, { method: "POST", headers, body: sent });
  const signed = (age, secrets = [SECRET]) => {
    const [id, timestamp] = ["msg_1", String(Math.floor(Date.now() / 1000) - age)];
    const signatures = secrets.map((secret) => {
      const hmac = createHmac("sha256", secret).update(`${id}.${timestamp}.${body}`);
      return `v1,${hmac.digest("base64")}`;
    });
    return {
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": signatures.join(" "),
    };
  };
  const other = "another secret of 24 bytes";
  for (const [why, headers] of [
    ["it is new", signed(0)],
    ["it is a little old", signed(TOLERATED_SECONDS - MARGIN_SECONDS)],
    ["the secret rotates", signed(0, [other, SECRET])],
  ]) {
    const answer = await send(headers);
    assert.equal(answer.status, 200, why);
    assert.deepEqual((await answer.json()).ack, [3], why);
  }
  const { "webhook-signature": _, ...unsigned } = signed(0);
  for (const [why, headers, sent] of [
    ["it has no headers", {}],
    ["it has no signature", unsigned],
    ["the secret is another one", signed(0, [other])],
    ["the body is another one", signed(0), body.replace("1", "7")],
    ["the id is another one", { ...signed(0), "webhook-id": "msg_2" }],
    [
      "the time is another one",
      { ...signed(7), "webhook-timestamp": signed(0)["webhook-timestamp"] },
    ],
    ["it is too old", signed(TOLERATED_SECONDS + MARGIN_SECONDS)],
    ["it is of the future", signed(-TOLERATED_SECONDS - MARGIN_SECONDS)],
  ]) {
    const answer = await send(headers, sent);
    assert.equal(answer.status, 401, why);
    await answer.body?.cancel();
  }
}

/** Starts a back end and waits until it listens. */
async function start(t, [program, ...args], stream, env) {
  const stdio = { stdout: ["ignore", "pipe", "inherit"], stderr: ["ignore", "ignore", "pipe"] };
  const child = startProcess(program, args, { env, stdio: stdio[stream] });
  t.after(() => child.kill("SIGKILL"));
  await firstLines(`the start of ${program}`, child[stream]);
}

function pathOf(file) {
  return fileURLToPath(new URL(file, EXAMPLES));
}
