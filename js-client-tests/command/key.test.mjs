// `roomcast key new`: keys of the HTTP API.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { callApi } from "../support/api.mjs";
import { runRoomcast } from "../support/command.mjs";
import { Server } from "../support/server.mjs";

test("a new key opens the API of a server with the printed settings", async (t) => {
  const flags = ["--name", "shop", "--scope", "publish,manage", "--space", "/"];
  const { code, stdout } = await runRoomcast("key", "new", ...flags);
  assert.equal(code, 0);
  const [key, ...settings] = stdout.trimEnd().split("\n");
  assert.match(key, /^rcast_[\w-]{24}$/);
  assert.ok(stdout.includes(createHash("sha256").update(key).digest("hex")));
  assert.ok(!settings.join("\n").includes(key));
  const home = await mkdtemp(path.join(tmpdir(), "roomcast-"));
  t.after(() => rm(home, { recursive: true }));
  const config = path.join(home, "roomcast.toml");
  await writeFile(config, settings.join("\n"));
  const server = new Server({ config });
  t.after(() => server.stop());
  await server.start();
  const body = { do: [{ disconnect: { user: "ann" } }] };
  assert.equal((await callApi(server, "actions", body, key)).status, 200);
  const other = (await runRoomcast("key", "new", "--scope", "publish")).stdout.split("\n")[0];
  assert.notEqual(other, key);
  assert.equal((await callApi(server, "actions", body, other)).status, 401);
});

test("a key needs scopes that exist", async () => {
  for (const [flags, why] of [
    [[], /--scope/],
    [["--scope", "write"], /"write" is not a scope; there are publish, read, manage/],
    [["--scope", "publish", "--space", "shop"], /a space begins with \//],
  ]) {
    const { code, stderr } = await runRoomcast("key", "new", ...flags);
    assert.equal(code, 2);
    assert.match(stderr, why);
  }
});
