// `roomcast bench`: what each work measures, what it says of faults, and how it ends.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { API_SETTINGS, MANAGE_KEY } from "../support/api.mjs";
import { Authority } from "../support/certificates.mjs";
import { readLines, startProcess } from "../support/child-process.mjs";
import { runProgram } from "../support/command.mjs";
import { ROOMCAST, Server, serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { tempFile } from "../support/temp-file.mjs";
import { LONG_TIMEOUT_MS, withTimeout } from "../support/timeouts.mjs";
import { mintToken } from "../support/tokens.mjs";

const server = serverForThisFile({ settings: { ...API_SETTINGS, "rooms.private": ["secret-*"] } });
/** A run settles for up to 15 s on a busy machine. */
const PATIENT = { timeoutMs: LONG_TIMEOUT_MS };
const SHORT = ["--clients", "12", "--duration", "1s"];

/** Runs the command to its end; the report is what it prints with `--json`. */
async function bench(words, { url = server.url, ...options } = {}) {
  const args = ["bench", ...words, "--json", "--url", url];
  const { code, stdout, stderr } = await runProgram(ROOMCAST, args, { ...PATIENT, ...options });
  return { code, stderr, report: stdout === "" ? undefined : JSON.parse(stdout) };
}

/** The same, for a run in which nothing may go wrong. */
async function goodRun(words, options) {
  const { code, stderr, report } = await bench(words, options);
  assert.equal(code, 0, `${words}: ${stderr} ${JSON.stringify(report)}`);
  assert.deepEqual([report.ok, report.failures, report.refusals], [true, {}, {}]);
  return report;
}

/** Starts the command; `until` waits for a line of its progress. */
function startBench(words, url) {
  const child = startProcess(ROOMCAST, ["bench", ...words, "--json", "--url", url]);
  let stdout = "";
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  const seen = [];
  let notify = () => {};
  readLines(child.stderr, (lines) => {
    seen.push(...lines);
    notify();
  });
  const until = (line) =>
    withTimeout(
      line,
      new Promise((resolve) => {
        notify = () => seen.some((it) => it.includes(line)) && resolve();
        notify();
      }),
      LONG_TIMEOUT_MS,
    );
  const ended = async () => {
    const { code } = await withTimeout("the end of the command", child.exited, LONG_TIMEOUT_MS);
    return { code, report: JSON.parse(stdout) };
  };
  return { child, until, ended };
}

for (const wire of ["websocket", "socket.io"]) {
  test(`fan-out over ${wire}: every member receives every message`, async () => {
    const work = ["fan-out", "--wire", wire, "--rooms", "3", "--rate", "30", ...SHORT];
    const report = await goodRun(work);
    assert.deepEqual([report.connected, report.wire, report.seconds], [12, wire, 1]);
    assert.equal(report.deliveries, report.stored * 4);
    assert.ok(report.stored > 0 && report.sent === report.stored, JSON.stringify(report));
    const { p50, p95, p99, max } = report.deliveryMs;
    assert.ok(p50 > 0 && p50 <= p95 && p95 <= p99 && p99 <= max, JSON.stringify(report));
    assert.deepEqual([report.lost, report.duplicates, report.unanswered], [0, 0, 0]);
  });

  test(`echo over ${wire}: round trips`, async () => {
    const report = await goodRun(["echo", "--wire", wire, "--size", "500", ...SHORT]);
    assert.ok(report.stored > 0 && report.storedPerSecond > 0, JSON.stringify(report));
    assert.ok(report.answerMs.p50 > 0);
  });

  test(`reconnect over ${wire}: all come back, with what they missed`, async () => {
    const work = ["reconnect", "--wire", wire, "--rooms", "2", "--missed", "5"];
    const report = await goodRun([...work, "--clients", "12", "--duration", "20s"]);
    assert.deepEqual([report.stored, report.missed, report.away, report.lost], [10, 60, 0, 0]);
    assert.ok(report.allBackMs > 0 && report.allBackMs >= report.backMs.p50);
  });

  test(`jitter over ${wire}: how much deliveries differ, and pings are answered`, async (t) => {
    const settings = { "limits.ping_interval_ms": 300, "limits.ping_timeout_ms": 30_000 };
    const own = await serverForThisTest(t, { settings });
    // Each client sends once a second. A plain WebSocket is pinged when it has sent nothing for a while.
    const work = ["jitter", "--wire", wire, "--rate", "12", ...SHORT];
    const report = await goodRun(work, { url: own.url });
    assert.ok(report.jitterMs.max > 0 && report.pings > 0, JSON.stringify(report));
  });
}

test("idle: connections are held, and their memory is told", async () => {
  const env = { ROOMCAST_API_KEY: MANAGE_KEY };
  const report = await goodRun(["idle", ...SHORT], { env });
  assert.deepEqual([report.held, report.connected], [12, 12]);
  assert.ok(report.connectedPerSecond > 0 && report.bytesPerConnection >= 0);
  const unknown = await goodRun(["idle", ...SHORT]);
  assert.equal(unknown.bytesPerConnection, undefined);
  assert.match(unknown.notes[0], /give --key-file or --metrics/);
});

test("without --json it prints a table", async () => {
  const args = ["bench", "fan-out", ...SHORT, "--url", server.url.replace("http", "ws")];
  const { code, stdout, stderr } = await runProgram(ROOMCAST, args, PATIENT);
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /^delivery time, ms +p50 [\d.]+ {2}p95 [\d.]+ {2}p99 [\d.]+ {2}max [\d.]+$/m,
  );
  assert.match(stdout, /^lost +0$/m);
  assert.match(stderr, /opening 12 connections\nmeasuring for 1s\n/);
});

test("without --url the settings say where the server is", async () => {
  const args = ["bench", "echo", ...SHORT, "--listen", `127.0.0.1:${server.port}`];
  const { code, stderr } = await runProgram(ROOMCAST, args, PATIENT);
  assert.equal(code, 0, stderr);
});

test("a server that is away is a fault, and one that refuses is named with its code", async (t) => {
  const away = await bench(["fan-out", ...SHORT], { url: "ws://127.0.0.1:1" });
  assert.deepEqual([away.code, away.report], [1, undefined]);
  assert.match(away.stderr, /no client could connect: connection refused/);
  const own = await serverForThisTest(t, { settings: { guests: "off" } });
  for (const wire of ["websocket", "socket.io"]) {
    const refused = await bench(["echo", "--wire", wire, ...SHORT], { url: own.url });
    assert.equal(refused.code, 3, refused.stderr);
    assert.match(refused.stderr, /no client could connect: .*\(12\)/);
  }
  const tokens = await Promise.all(["ann", "bob"].map((name) => mintToken(own, name)));
  const file = tempFile("tokens", tokens.join("\n"));
  for (const wire of ["websocket", "socket.io"]) {
    await goodRun(["fan-out", "--wire", wire, "--token-file", file, ...SHORT], { url: own.url });
  }
});

test("a server that dies ends the run: what was measured is printed", async () => {
  for (const wire of ["websocket", "socket.io"]) {
    const own = new Server();
    await own.start();
    try {
      const words = ["fan-out", "--wire", wire, "--clients", "12", "--duration", "1h"];
      const run = startBench(words, own.url);
      await run.until("measuring");
      await own.kill9();
      const { code, report } = await run.ended();
      assert.deepEqual([code, report.ok, report.connected], [1, false, 12]);
      const failed = Object.values(report.failures).reduce((sum, count) => sum + count, 0);
      assert.equal(failed, 12, JSON.stringify(report));
    } finally {
      await own.stop();
    }
  }
});

test("a client that the server closes is counted by its code", async (t) => {
  const own = await serverForThisTest(t);
  const run = startBench(["idle", "--clients", "12", "--duration", "1h"], own.url);
  await run.until("holding");
  await own.restart();
  const { code, report } = await run.ended();
  assert.equal(code, 1);
  assert.deepEqual(report.failures, { draining: 12 });
});

test("Ctrl-C ends a run: what was measured is printed, and nothing is lost", async () => {
  const words = ["fan-out", "--rate", "40", "--clients", "12", "--duration", "1h"];
  const run = startBench(words, server.url);
  await run.until("measuring");
  run.child.kill("SIGINT");
  const { code, report } = await run.ended();
  assert.deepEqual([code, report.interrupted, report.lost, report.ok], [0, true, 0, true]);
});

test("a rate limit of the server is counted and explained", async (t) => {
  const settings = { "limits.messages_per_second_max": 1, "limits.messages_burst_max": 1 };
  const own = await serverForThisTest(t, { settings });
  const { code, report } = await bench(["echo", "--clients", "12", "--duration", "3s"], {
    url: own.url,
  });
  assert.equal(code, 0, "a refused message is not lost");
  assert.ok(report.refusals.too_fast > 0, JSON.stringify(report));
  assert.match(report.notes.join(), /limits\.messages_per_second_max/);
});

test("missed messages that the server does not send are lost", async (t) => {
  const own = await serverForThisTest(t, { settings: { "limits.recover_messages_max": 3 } });
  const work = ["reconnect", "--missed", "5", "--clients", "12", "--duration", "20s"];
  const { code, report } = await bench(work, { url: own.url });
  assert.deepEqual([code, report.lost, report.allBackMs], [1, 60, null], JSON.stringify(report));
  assert.deepEqual(report.refusals, { not_recovered: 12 });
  assert.match(report.notes.join(), /limits\.recover_messages_max/);
});

test("TLS and Unix sockets, with the certificates that the system trusts", async (t) => {
  const authority = await new Authority().start();
  t.after(() => authority.end());
  const folder = await mkdtemp(path.join(tmpdir(), "roomcast-"));
  t.after(() => rm(folder, { recursive: true }));
  const files = await authority.issue("first");
  const socket = `unix:${path.join(folder, "socket")}`;
  const own = await serverForThisTest(t, {
    settings: { "tls.certificates": [files] },
    more: [socket],
  });
  const url = `wss://localhost:${own.port}`;
  const trusting = { SSL_CERT_FILE: authority.path("ca.crt"), SSL_CERT_DIR: "" };
  await goodRun(["fan-out", ...SHORT], { url, env: trusting });
  const other = await bench(["fan-out", ...SHORT], { url, env: {} });
  assert.equal(other.code, 1);
  assert.match(other.stderr, /certificate/i);
  await goodRun(["echo", "--wire", "socket.io", ...SHORT], { url: socket });
});

test("mistakes have exit code 2 and are named", async () => {
  const empty = tempFile("no-tokens", "\n");
  for (const [words, why] of [
    [["flood"], /unrecognized subcommand/],
    [["echo", "--clients", "0"], /--clients/],
    [["echo", "--clients", "25001"], /--clients/],
    [["echo", "--duration", "2h"], /at most 1h/],
    [["echo", "--rate", "0"], /--rate/],
    [["echo", "--size", "39"], /--size/],
    [["idle", "--size", "64"], /--size/],
    [["echo", "--token-file", empty], /this is no list of tokens/],
    [["echo", "--token-file", "/nonexistent/tokens"], /\/nonexistent\/tokens: No such file/],
    [["idle", "--key-file", "/nonexistent/key"], /\/nonexistent\/key: No such file/],
  ]) {
    const { code, stderr, report } = await bench(words);
    assert.deepEqual([code, report], [2, undefined], `${words}: ${stderr}`);
    assert.match(stderr, why, `${words}`);
  }
  const ftp = await bench(["echo"], { url: "ftp://x" });
  assert.equal(ftp.code, 2);
  assert.match(ftp.stderr, /this is not ws:\/\/host:port/);
  const words = [ROOMCAST, "bench", "idle", "--url", server.url, "--clients", "100"].join(" ");
  const limited = await runProgram("sh", ["-c", `ulimit -n 64; ${words}`], PATIENT);
  assert.equal(limited.code, 2);
  assert.match(limited.stderr, /need 150 open files, and this process may have 64.*`ulimit -n`/);
});
