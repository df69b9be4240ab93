// Runs the first five minutes of docs/webhooks.md.

import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { startProcess } from "../support/child-process.mjs";
import { connect } from "../support/fixtures.mjs";
import { freePort } from "../support/free-port.mjs";
import { Server } from "../support/server.mjs";
import { tempFile } from "../support/temp-file.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

const DOC = await readFile(new URL("../../docs/webhooks.md", import.meta.url), "utf8");

/** The first block of this language, with another port. */
function snippet(language, port) {
  const block = new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(DOC)[1];
  return block.replaceAll("8002", String(port)).replaceAll(/^ {3}/gm, "");
}

test("the program of the first steps receives what they say", async (t) => {
  const port = await freePort();
  const child = startProcess("sh", ["-c", `exec ${snippet("sh", port).trim()}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  await waitUntil("the program", async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
    await answer?.text();
    return answer?.ok;
  });
  const received = new Promise((resolve) => {
    let text = "";
    child.stdout.on("data", (bytes) => {
      text += bytes;
      const types = ["user.online", "room.occupied", "member.joined"];
      if (types.every((type) => text.includes(`"type":"${type}"`))) resolve();
    });
  });
  const server = new Server({ config: tempFile("webhooks.toml", snippet("toml", port)) });
  await server.start();
  t.after(() => server.stop());
  const client = await connect(t, wsJson, server);
  await client.identify("ann");
  await withTimeout("the events of a client", received);
});
