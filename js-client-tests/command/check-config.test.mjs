// All settings are checked before the server starts; errors name the key.

import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { runProgram, runRoomcast } from "../support/command.mjs";
import { ROOMCAST } from "../support/server.mjs";

/** Settings with a mistake, and what the error must name. */
const MISTAKES = {
  "an unknown key": ['gests = "on"', ["gests", "guests"]],
  "an unknown key in a table": [
    "limits.body_byte_max = 5",
    ["body_byte_max", "limits.body_bytes_max"],
  ],
  "an unknown table": ["[limit]\nbody_bytes_max = 5", ["limit", "limits"]],
  "an invalid choice": ['guests = "maybe"', ["guests", "on", "off"]],
  "a word for a level": ['log_filter = "verbose"', ["log_filter", "verbose", "debug"]],
  "a number for a text": ["guests = 1", ["guests"]],
  "a text for a number": ['limits.body_bytes_max = "big"', ["limits.body_bytes_max"]],
  "a limit of zero": ["limits.body_bytes_max = 0", ["limits.body_bytes_max"]],
  "a negative limit": ["limits.history_messages_max = -1", ["limits.history_messages_max"]],
  "an invalid address": ['listen = "here"', ["listen"]],
  "an unknown store": ['store = "paper"', ["store", "sqlite", "memory"]],
  "an unknown synchronous mode": [
    'sqlite.synchronous = "maybe"',
    ["sqlite.synchronous", "full", "normal"],
  ],
  "an invalid space": ['spaces = ["shop"]', ["spaces", "shop"]],
  "an unknown event of a webhook": [
    'webhooks = [{ name = "a", url = "http://a", events = ["x"] }]',
    ["webhooks", "user.online"],
  ],
  "a short secret of a webhook": [
    'webhooks = [{ name = "a", url = "http://a", events = ["*"], secret = "short" }]',
    ["webhooks", "24 bytes"],
  ],
  "an invalid origin": ['origins = ["app.example"]', ["origins", "app.example"]],
};

for (const [what, [toml, names]] of Object.entries(MISTAKES)) {
  test(`${what} is refused with exit code 2, and named`, async (t) => {
    const home = await folder(t);
    const file = path.join(home, "roomcast.toml");
    await writeFile(file, `${toml}\n`);
    for (const command of ["check-config", "serve"]) {
      const { code, stdout, stderr } = await runRoomcast(command, "--config", file);
      assert.equal(code, 2, `${command}: ${stdout}${stderr}`);
      for (const name of names) assert.ok(stderr.includes(name), `no ${name} in: ${stderr}`);
    }
    assert.deepEqual(await readdir(home), ["roomcast.toml"], "nothing was created");
  });
}

test("a collector is refused by a program without traces", async (t) => {
  const file = path.join(await folder(t), "roomcast.toml");
  await writeFile(file, '[otlp]\nendpoint = "http://127.0.0.1:4318"\n');
  const { stdout } = await runRoomcast("doctor", "--json");
  const hasTraces = !stdout.includes("built without traces");
  assert.ok(stdout.includes("system.traces"), stdout);
  const { code, stderr } = await runRoomcast("check-config", "--config", file);
  assert.equal(code, hasTraces ? 0 : 2, stderr);
  const isNamed = stderr.includes("otlp.endpoint") && stderr.includes("feature `otlp`");
  assert.equal(isNamed, !hasTraces, stderr);
});

test("a file that is not TOML is refused with the line", async (t) => {
  const file = path.join(await folder(t), "roomcast.toml");
  await writeFile(file, 'guests = "on"\nthis is not it\n');
  const { code, stderr } = await runRoomcast("check-config", "--config", file);
  assert.equal(code, 2);
  assert.match(stderr, /\b2\b/, "the line is not named");
});

test("a missing file is refused", async (t) => {
  const file = path.join(await folder(t), "nowhere.toml");
  const { code, stderr } = await runRoomcast("check-config", "--config", file);
  assert.equal(code, 2);
  assert.ok(stderr.includes(file), stderr);
});

test("mistakes in flags and in the environment are named, too", async () => {
  const byFlag = await runRoomcast("check-config", "--set", "gests=on");
  assert.equal(byFlag.code, 2);
  assert.ok(byFlag.stderr.includes("gests") && byFlag.stderr.includes("guests"), byFlag.stderr);
  const env = { ROOMCAST_LIMITS_BODY_BYTES_MAX: "big" };
  const byEnvironment = await runProgram(ROOMCAST, ["check-config"], { env });
  assert.equal(byEnvironment.code, 2);
  assert.match(byEnvironment.stderr, /body_bytes_max/i);
});

test("an unknown flag or command has exit code 2", async () => {
  for (const args of [["--nonsense"], ["nonsense"], ["serve", "--lisen", "127.0.0.1:0"]]) {
    assert.equal((await runRoomcast(...args)).code, 2, args.join(" "));
  }
});

test("valid settings pass", async (t) => {
  const file = path.join(await folder(t), "roomcast.toml");
  const [plain, table] = ['guests = "off"\nspaces = ["/shop", "/team-*"]', "[limits]"];
  await writeFile(file, `${plain}\n${table}\nping_interval_ms = 100\n`);
  const { code, stderr, stdout } = await runRoomcast("check-config", "--config", file);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, `ok\nfile: ${file}\nenvironment: nothing\n`);
});

test("the file and the variables that were read are printed", async (t) => {
  const home = await folder(t);
  const env = {
    ROOMCAST_GUESTS: "off",
    ROOMCAST_API_KEY: "a",
    ROOMCAST_LIMITS_BODY_BYTES_MAX: "9",
  };
  const check = () => runProgram(ROOMCAST, ["check-config"], { cwd: home, env });
  const without = await check();
  assert.equal(without.code, 0, without.stderr);
  const variables = without.stdout.split("\n")[2].replace("environment: ", "").split(", ").sort();
  assert.deepEqual(variables, ["ROOMCAST_GUESTS", "ROOMCAST_LIMITS_BODY_BYTES_MAX"]);
  assert.match(without.stdout, /^ok\nfile: none \(there is no roomcast\.toml here\)\n/);
  await writeFile(path.join(home, "roomcast.toml"), "");
  assert.match((await check()).stdout, /^ok\nfile: roomcast\.toml\n/);
});

async function folder(t) {
  const made = await mkdtemp(path.join(tmpdir(), "roomcast-"));
  t.after(() => rm(made, { recursive: true, force: true }));
  return made;
}
