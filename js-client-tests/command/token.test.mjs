// `roomcast token`: for whom a token is, where it is valid, and for how long.

import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { runRoomcast } from "../support/command.mjs";
import { connectWithToken } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { decodeClaims, epochSeconds, mintToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { spaces: ["/shop"] } });

test("it prints one line, a token that the running server accepts", async (t) => {
  const user = unique("ann");
  const { code, stdout } = await runRoomcast("token", "--user", user, "--data", server.data);
  assert.equal(code, 0);
  assert.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const ann = await connectWithToken(t, wsJson, server, stdout.trim());
  assert.equal(ann.name, user);
});

test("it names the user and the expiry", async () => {
  const day = decodeClaims(await mintToken(server, "ann"));
  assert.equal(day.sub, "ann");
  assert.ok(Math.abs(day.exp - epochSeconds(24 * 3600)) < 120, "a day by default");
  for (const [ttl, seconds] of [
    ["90s", 90],
    ["10m", 600],
    ["2h", 7200],
    ["7d", 7 * 86_400],
  ]) {
    const { exp } = decodeClaims(await mintToken(server, "ann", "--ttl", ttl));
    assert.ok(Math.abs(exp - epochSeconds(seconds)) < 60, ttl);
  }
});

test("it names its spaces", async (t) => {
  const token = await mintToken(server, unique("ann"), "--space", "/shop");
  assert.deepEqual(decodeClaims(token).spaces, ["/shop"]);
  await connectWithToken(t, wsJson, server, token, { space: "/shop" });
  assert.equal(await wsJson.refusal(server, { token }), "space_forbidden");
});

test("it has the display name, the rooms, the administrator claim, and the id", async () => {
  const flags = ["--name", "Ann Lee", "--room", "news", "--room", "team-*", "--admin"];
  const claims = decodeClaims(await mintToken(server, "ann", ...flags, "--jti", "t 1"));
  const { name, rooms, admin, jti } = claims;
  assert.deepEqual([name, rooms, admin, jti], ["Ann Lee", ["news", "team-*"], true, "t 1"]);
  const plainly = decodeClaims(await mintToken(server, "ann"));
  assert.deepEqual(Object.keys(plainly).sort(), ["exp", "iat", "sub"]);
});

test("it has the roles in rooms", async () => {
  const flags = ["--room", "news=reader", "--room", "team-*=admin"];
  const { rooms } = decodeClaims(await mintToken(server, "ann", ...flags));
  assert.deepEqual(rooms, { news: "reader", "team-*": "admin" });
});

test("a token of another server is refused", async (t) => {
  const data = await mkdtemp(path.join(tmpdir(), "roomcast-"));
  t.after(() => rm(data, { recursive: true, force: true }));
  const words = ["token", "--user", "ann", "--data", data];
  const refused = await runRoomcast(...words);
  assert.deepEqual([refused.code, refused.stdout], [2, ""]);
  assert.match(refused.stderr, /there is no .*token\.key: .*--data.*--new-key/);
  assert.deepEqual(await readdir(data), [], "no key is made");
  const made = await runRoomcast(...words, "--new-key");
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stderr, /made a new key: .*token\.key/);
  assert.equal(await wsJson.refusal(server, { token: made.stdout.trim() }), "unauthorized");
  const again = await runRoomcast(...words, "--new-key");
  assert.deepEqual([again.code, again.stderr], [0, ""], "the key is there");
});

test("invalid arguments have exit code 2, and are named", async () => {
  const data = ["--data", server.data];
  const mistakes = {
    "--user": [[...data], ["--user", "", ...data], ["--user", "x".repeat(65), ...data]],
    "--ttl": [
      ["--user", "ann", "--ttl", "soon", ...data],
      ["--user", "ann", "--ttl=-1h", ...data],
    ],
    "--space": [["--user", "ann", "--space", "shop", ...data]],
    "--room": [
      ["--user", "ann", "--room", "a\u200bb", ...data],
      ["--user", "ann", "--room", "news=king", ...data],
      ["--user", "ann", "--room", "news=reader", "--room", "team-*", ...data],
    ],
  };
  for (const [flag, calls] of Object.entries(mistakes)) {
    for (const args of calls) {
      const { code, stdout, stderr } = await runRoomcast("token", ...args);
      assert.deepEqual([code, stdout], [2, ""], args.join(" "));
      assert.ok(stderr.includes(flag), stderr);
    }
  }
});
