// `roomcast doctor` names each of the faults that are planted, and what to do.

import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { clock } from "../support/cluster.mjs";
import { runProgram } from "../support/command.mjs";
import { freePort } from "../support/free-port.mjs";
import { Postgres } from "../support/postgres.mjs";
import { Redis } from "../support/redis.mjs";
import { ROOMCAST, serverForThisTest } from "../support/server.mjs";
import { SECRET } from "../support/tokens.mjs";

test("faults of settings, files, ports and limits are named", async (t) => {
  const folder = await temporary(t);
  const data = path.join(folder, "data");
  await mkdir(data);
  await chmod(data, 0o755);
  await plant(path.join(data, "roomcast.db"), "this is no database".repeat(100));
  await plant(path.join(data, "token.key"), "short");
  const port = await takenPort(t);
  const settings = [
    "sqlite.synchronous=normal",
    `listen=127.0.0.1:${port}`,
    // An address for documentation: no machine has it.
    "admin.listen=192.0.2.1:3999",
    `webhooks=[{ name = "a", url = "http://127.0.0.1", events = ["*"], secret_file = "${folder}/none" }]`,
    `tls.certificates=[{ cert = "${folder}/none.pem", key = "${folder}/none.key" }]`,
  ];
  const before = await readdir(data);
  const { code, findings } = await doctor({ data, settings, files: 300 });
  assert.equal(code, 1);
  assertFound(findings, [
    ["settings", "warning", /synchronous/],
    ["settings", "error", /token\.key|short|bytes/],
    ["settings", "error", /webhooks/],
    ["settings", "error", /tls\.certificates/],
    ["files.data", "warning", /755/, /chmod 700/],
    ["files.database", "warning", /644/, /chmod 600/],
    ["files.key", "warning", /644/, /chmod 600/],
    ["files.schema", "error", /not a database/, /restore/],
    ["ports.listen", "error", new RegExp(`taken by process ${process.pid} \\(`), /`listen`/],
    ["ports.admin", "error", /192\.0\.2\.1/, /`admin\.listen`/],
    ["system.files", "warning", /300 files/, /LimitNOFILE/],
  ]);
  assert.deepEqual(await readdir(data), before, "nothing is left behind");
});

test("faults of Unix sockets and of files with secrets are named", async (t) => {
  const folder = await temporary(t);
  const [open, taken] = [path.join(folder, "open"), path.join(folder, "taken")];
  await mkdir(open);
  await chmod(open, 0o777);
  for (const name of ["taken", "tls.key", "secret"]) await plant(path.join(folder, name), SECRET);
  const settings = [
    `listen=["unix:${folder}/none/socket", "unix:${open}/socket", "unix:${taken}", "unix:${folder}/good"]`,
    `tls.certificates=[{ cert = "${folder}/none.pem", key = "${folder}/tls.key" }]`,
    `token.keys=[{ secret_file = "${folder}/secret" }]`,
  ];
  const { code, findings } = await doctor({ data: path.join(folder, "data"), settings });
  assert.equal(code, 1);
  assertFound(findings, [
    ["ports.listen", "error", /none\/socket cannot be used: No such file/, /make .*none/],
    ["ports.listen", "warning", /replace the socket .*open\/socket/, /chmod o-w/],
    ["ports.listen", "error", /taken is there already, and is no socket/, /`listen`/],
    ["ports.listen", "ok", /good can be made/],
    ["files.tls_key", "warning", /tls\.key has mode 644/, /chmod 600/],
    ["files.token_key", "warning", /secret has mode 644/, /chmod 600/],
  ]);
});

test("faults of PostgreSQL, Redis and the clock are named", async (t) => {
  const [postgres, redis] = [new Postgres(), new Redis()];
  t.after(() => Promise.all([postgres.stop(), redis.stop()]));
  await Promise.all([postgres.start(), redis.start()]);
  const data = path.join(await temporary(t), "data");
  const engines = [`store=${postgres.url}`, `bus=${redis.url}`];
  const late = await doctor({ data, settings: engines, env: clock("+100s") });
  assert.equal(late.code, 1);
  assertFound(late.findings, [
    ["postgres.server", "warning", /fsync = off/],
    ["postgres.server", "ok", /PostgreSQL \d+/],
    ["postgres.clock", "error", /differs by (99|100)/, /synchronize/],
    ["redis.server", "ok", /version \d/],
    ["redis.clock", "error", /differs by (99|100)/, /synchronize/],
  ]);
  const closed = await freePort();
  const [store, bus] = [`postgres://nobody@127.0.0.1:${closed}/x`, `redis://127.0.0.1:${closed}`];
  const down = await doctor({ data, settings: [`store=${store}`, `bus=${bus}`] });
  assert.equal(down.code, 1);
  assertFound(down.findings, [
    ["postgres.server", "error", /refused/i, /store/],
    ["redis.server", "error", /refused/i, /bus/],
  ]);
});

test("a healthy server is found so while it runs, and invalid settings are findings", async (t) => {
  const server = await serverForThisTest(t);
  const settings = [`listen=127.0.0.1:${server.port}`, "limits.connections_max=100"];
  const { code, findings } = await doctor({ data: server.data, settings, files: 4096 });
  const errors = findings.filter((it) => it.level === "error");
  assert.deepEqual([code, errors], [0, []]);
  assertFound(findings, [
    ["settings", "ok", /valid/],
    ["files.schema", "ok", /schema \d+/],
    ["ports.listen", "ok", /the server of this data directory/],
    ["disk.speed", /ok|warning/, /durable write/],
    ["disk.space", /ok|warning/, /MiB/],
    ["system.files", "ok", /4096/],
    ["system.somaxconn", /ok|warning/, /somaxconn/],
  ]);
  const invalid = await doctor({ data: server.data, settings: ["gests=on"] });
  assert.equal(invalid.code, 1);
  assertFound(invalid.findings, [["settings", "error", /gests/]]);
  const text = await runProgram(ROOMCAST, ["doctor", "--set", "gests=on"]);
  assert.equal(text.code, 1);
  assert.match(text.stdout, /^error {4}settings: .*gests.*\n {9}do: /s);
});

/** Runs it with at most `files` open files. */
async function doctor({ data, settings, files = 1024, env = {} }) {
  const sets = settings.flatMap((it) => ["--set", it]);
  const args = [ROOMCAST, "doctor", "--json", "--data", data, ...sets];
  const limited = ["-c", `ulimit -n ${files} && exec "$0" "$@"`, ...args];
  const { code, stdout, stderr } = await runProgram("sh", limited, {
    env,
  });
  assert.equal(stderr, "");
  return { code, ...JSON.parse(stdout) };
}

/** Each is `[check, level, message, action]`. */
function assertFound(findings, expected) {
  for (const [check, level, message, action = /^/] of expected) {
    const found = findings.some(
      (it) =>
        it.check === check
        && it.level.match(level)
        && message.test(it.message)
        && action.test(it.action),
    );
    assert.ok(found, `no ${level} of ${check} with ${message} in ${JSON.stringify(findings)}`);
  }
  for (const { level, action } of findings) assert.equal(action === "", level === "ok");
}

async function plant(file, text) {
  await writeFile(file, text);
  await chmod(file, 0o644);
}

async function takenPort(t) {
  const listener = net.createServer();
  await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
  t.after(() => listener.close());
  return listener.address().port;
}

async function temporary(t) {
  const folder = await mkdtemp(path.join(tmpdir(), "roomcast-doctor-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
