// `make package`: what is installed on a machine.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { runProgram } from "../support/command.mjs";
import { ROOMCAST } from "../support/server.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SERVICE = path.join(ROOT, "deploy/roomcast.service");
const SOCKET = path.join(ROOT, "deploy/roomcast.socket");
/** Making a package compresses the binary. */
const PACKAGE_MS = 120_000;

let folder;
/** What `dpkg` would install. */
let installed;
let version;

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "roomcast-"));
  await make("a");
  installed = path.join(folder, "installed");
  await succeed("dpkg-deb", ["-x", await packageIn("a"), installed]);
  version = (await succeed(ROOMCAST, ["--version"])).split(" ")[1].trim();
});
after(() => rm(folder, { recursive: true }));

/** The output of a program, which has to end with 0. */
async function succeed(program, args, options) {
  const { code, stdout, stderr } = await runProgram(program, args, options);
  assert.equal(code, 0, `${program} ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

const make = (name) =>
  succeed("deploy/package.sh", [ROOMCAST, path.join(folder, name)], {
    cwd: ROOT,
    env: { SOURCE_DATE_EPOCH: "1700000000" },
    timeoutMs: PACKAGE_MS,
  });

async function packageIn(name) {
  const [found] = (await readdir(path.join(folder, name))).filter((it) => it.endsWith(".deb"));
  return path.join(folder, name, found);
}

test("the installed binary is stripped, its symbols lie beside it", async () => {
  const binary = path.join(installed, "usr/bin/roomcast");
  assert.match(await succeed(binary, ["--version"]), /^roomcast \d+\.\d+\.\d+/);
  const [small, whole] = [await stat(binary), await stat(ROOMCAST)];
  assert.ok(small.size < whole.size, `${small.size} of ${whole.size}`);
  const sections = (file) => succeed("readelf", ["--section-headers", "--wide", file]);
  assert.doesNotMatch(await sections(binary), /\.symtab/);
  assert.match(await sections(path.join(folder, "a/roomcast.debug")), /\.symtab/);
  assert.match(await succeed("readelf", ["-p", ".gnu_debuglink", binary]), /roomcast\.debug/);
  // Other builds have no line numbers, which take a seventh of the compiler's time.
  const commands = await succeed("make", ["--dry-run", "package"], { cwd: ROOT });
  assert.match(commands, /CARGO_PROFILE_RELEASE_DEBUG=line-tables-only .*cargo build/s);
});

test("the installed settings are the defaults, but for the directory", async () => {
  const settings = path.join(installed, "etc/roomcast/roomcast.toml");
  const lines = (await readFile(settings, "utf8")).split("\n");
  const active = lines.filter((line) => line !== "" && !line.startsWith("#"));
  assert.deepEqual(active, ['data = "/var/lib/roomcast"']);
  assert.ok(lines.some((line) => line.startsWith("# listen = ")));
  const data = ["--data", path.join(folder, "data")];
  const checked = await succeed(ROOMCAST, ["check-config", "--config", settings, ...data]);
  assert.match(checked, /^ok/);
});

test("the service starts what is installed, and systemd accepts it", async (t) => {
  const unit = await readFile(path.join(installed, "lib/systemd/system/roomcast.service"), "utf8");
  assert.equal(unit, await readFile(SERVICE, "utf8"));
  const socket = await readFile(path.join(installed, "lib/systemd/system/roomcast.socket"), "utf8");
  assert.equal(socket, await readFile(SOCKET, "utf8"));
  const [, binary, settings] = /^ExecStart=(\S+) serve --config (\S+)$/m.exec(unit);
  for (const file of [binary, settings]) await stat(path.join(installed, file));
  // Others may be missing on a small system, and `systemctl reload` then fails.
  const programs = [...unit.matchAll(/^Exec\w+=(\S+)/gm)].map(([, program]) => program);
  assert.deepEqual(new Set(programs), new Set([binary, "/bin/sh"]));
  const { code } = await runProgram("systemd-analyze", ["--version"]).catch(() => ({ code: 1 }));
  if (code !== 0) return t.diagnostic("systemd is not there to verify the unit");
  const { stderr } = await runProgram("systemd-analyze", ["verify", SERVICE, SOCKET]);
  // Of the unit itself there is nothing to say; what it starts is not installed here.
  const complaints = stderr.split("\n").filter((line) => !/is not executable|man |^$/.test(line));
  assert.deepEqual(complaints, []);
});

test("the service may have Unix sockets where the example of the settings has them", async () => {
  const unit = await readFile(SERVICE, "utf8");
  const example = await readFile(path.join(ROOT, "config.example.toml"), "utf8");
  const [, directory] = /^# {3}"unix:(\S+)\/[^/"]+": a Unix socket/m.exec(example);
  const [, own] = /^RuntimeDirectory=(\S+)$/m.exec(unit);
  assert.equal(directory, `/run/${own}`);
});

test("manual pages and completions are installed", async () => {
  const pages = await readdir(path.join(installed, "usr/share/man/man1"));
  assert.ok(pages.includes("roomcast.1.gz") && pages.includes("roomcast-tail.1.gz"));
  for (const file of ["bash-completion/completions/roomcast", "zsh/vendor-completions/_roomcast"]) {
    const script = await readFile(path.join(installed, "usr/share", file), "utf8");
    assert.ok(script.includes("check-config"));
  }
});

test("Debian knows its version, and keeps changed settings", async () => {
  const about = await succeed("dpkg-deb", ["-f", await packageIn("a")]);
  assert.match(about, /^Package: roomcast$/m);
  assert.ok(about.includes(`\nVersion: ${version}\n`));
  const control = path.join(folder, "control");
  await succeed("dpkg-deb", ["-e", await packageIn("a"), control]);
  const kept = await readFile(path.join(control, "conffiles"), "utf8");
  assert.equal(kept, "/etc/roomcast/roomcast.toml\n");
});

test("the same binary makes the same package", async () => {
  await make("b");
  const digest = async (name) =>
    createHash("sha256")
      .update(await readFile(await packageIn(name)))
      .digest("hex");
  assert.equal(await digest("a"), await digest("b"));
});

test("a package says what it needs", async () => {
  const { code, stderr } = await runProgram("deploy/package.sh", ["none", folder], { cwd: ROOT });
  assert.equal(code, 2);
  assert.match(stderr, /^usage: /);
});
