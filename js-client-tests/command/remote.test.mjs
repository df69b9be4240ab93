// Commands that ask a running server: `roomcast send`, `tail`, `rooms`, `users`, … and `health`.

import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";

import { API_SETTINGS, MANAGE_KEY, PUBLISH_KEY } from "../support/api.mjs";
import { startProcess } from "../support/child-process.mjs";
import { runProgram } from "../support/command.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { ROOMCAST, Server, serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const socketFolder = mkdtempSync(path.join(tmpdir(), "roomcast-"));
const socket = `unix:${path.join(socketFolder, "socket")}`;
const server = serverForThisFile({ settings: API_SETTINGS, more: [socket] });
let folder;
let keyFile;

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "roomcast-"));
  keyFile = path.join(folder, "key");
  await writeFile(keyFile, `${MANAGE_KEY}\n# settings follow\n`);
});
after(() => rm(folder, { recursive: true }));
after(() => rm(socketFolder, { recursive: true }));

/** Runs a command against the server of this file. */
function ask(words, options = {}) {
  const flags = ["--url", server.url, "--key-file", keyFile];
  return runProgram(ROOMCAST, [...words, ...flags], options);
}

/** The lines that a command prints, which has to succeed. */
async function linesOf(...words) {
  const { code, stdout, stderr } = await ask(words);
  assert.equal(code, 0, stderr);
  return stdout.split("\n").slice(0, -1);
}

test("a message that is sent is received, and listed", async (t) => {
  const room = unique("room");
  const ann = await joinAsGuest(t, wsJson, server, "ann", { room });
  const [sent] = await linesOf("send", room, "hello there", "--user", "bot", "--id", "1");
  const { ok, seq } = JSON.parse(sent);
  assert.deepEqual([ok, seq], [true, 1]);
  const { msg, username } = await ann.next("new message");
  assert.deepEqual([msg, username], ["hello there", "bot"]);
  const again = await linesOf("send", room, "hello there", "--user", "bot", "--id", "1");
  assert.equal(JSON.parse(again[0]).duplicate, true);
  assert.match((await linesOf("history", room)).join("\n"), /^\S+Z \S+ bot: hello there$/);
  const rooms = (await linesOf("rooms", "--json")).map((line) => JSON.parse(line));
  const found = rooms.find((it) => it.room === room);
  assert.deepEqual([found.members, found.online, found.messages], [1, 1, 1]);
});

test("a text comes from standard input, and no text changes the terminal", async () => {
  const room = unique("room");
  const input = "two\nlines\u001b[2J \u202eend\n";
  const { code } = await ask(["send", room, "--user", "bot"], { input });
  assert.equal(code, 0);
  const [line] = await linesOf("history", room);
  assert.ok(line.endsWith("bot: two\\nlines\\u{1b}[2J \\u{202e}end"), line);
  const [json] = await linesOf("history", room, "--json");
  assert.equal(JSON.parse(json).msg, input.trimEnd());
});

test("history has pages, from either end", async () => {
  const room = unique("room");
  for (const text of ["a", "b", "c", "d"]) await linesOf("send", room, text, "--user", "bot");
  const texts = async (...flags) =>
    (await linesOf("history", room, "--json", ...flags)).map((line) => JSON.parse(line).msg);
  assert.deepEqual(await texts("-n", "2"), ["c", "d"]);
  assert.deepEqual(await texts("-n", "2", "--before", "3"), ["a", "b"]);
  assert.deepEqual(await texts("-n", "2", "--after", "1"), ["b", "c"]);
  assert.deepEqual(await texts(), ["a", "b", "c", "d"]);
});

test("an event reaches who is in the room", async (t) => {
  const room = unique("room");
  const ann = await joinAsGuest(t, socketIo("4.8", "upgrade"), server, "ann", { room });
  ann.listenTo("order");
  await linesOf("send", room, "--event", "order", '{"id":7}', '"x"');
  assert.deepEqual(await ann.next("order"), [{ id: 7 }, "x"]);
});

test("users and connections are listed, kicked and disconnected", async (t) => {
  const room = unique("room");
  const ann = await joinAsGuest(t, wsJson, server, "ann", { room });
  const users = await linesOf("users");
  assert.match(users[0], /^USER +DEVICES +DEVICE IDS$/);
  assert.ok(users.some((line) => line.startsWith(`${ann.name} `)));
  const [connection] = (await linesOf("connections", ann.name, "--json")).map(JSON.parse);
  assert.equal(connection.user, ann.name);
  await linesOf("kick", room, ann.name);
  assert.equal((await ann.next("membership")).room, room);
  await linesOf("disconnect", "--connection", connection.connection);
  assert.equal((await ann.next("closing")).code, "disconnected");
});

test("a ban is listed and ends", async () => {
  const eve = unique("eve");
  await linesOf("ban", eve, "--until", "2099-01-01T00:00:00Z", "--reason", "spam");
  assert.ok((await linesOf("bans")).some((line) => line.startsWith(eve) && line.endsWith("spam")));
  await linesOf("unban", eve);
  assert.ok(!(await linesOf("bans")).some((line) => line.startsWith(eve)));
  await linesOf("ban", eve, "--all-spaces");
  assert.equal((await linesOf("bans", "--space", "*", "--json")).length, 1);
  await linesOf("unban", eve, "--all-spaces");
});

test("tail prints what is there and what comes, of some rooms or of all", async (t) => {
  const [room, other] = [unique("room"), unique("room")];
  for (const text of ["1", "2", "3"]) await linesOf("send", room, text, "--user", "bot");
  const flags = ["--json", "--url", server.url, "--key-file", keyFile];
  const some = tail(t, [room, "-n", "2", ...flags]);
  assert.deepEqual([await some.next(), await some.next()], ["2", "3"]);
  await linesOf("send", other, "not here", "--user", "bot");
  await linesOf("send", room, "4", "--user", "bot");
  assert.equal(await some.next(), "4");
  const all = tail(t, flags);
  // It has begun when it prints: until then, a message may be older than its beginning.
  const begun = all.next();
  let isBegun = false;
  begun.then(() => {
    isBegun = true;
  });
  let sent = 0;
  while (!isBegun) await linesOf("send", other, `${sent++}`, "--user", "bot");
  const first = Number(await begun);
  for (let text = first + 1; text < sent; text++) assert.equal(await all.next(), `${text}`);
  await linesOf("send", room, "5", "--user", "bot");
  assert.equal(await all.next(), "5");
});

test("tail waits for a server that restarts", async (t) => {
  const own = new Server({ settings: API_SETTINGS });
  t.after(() => own.stop());
  await own.start();
  const send = (text) =>
    runProgram(ROOMCAST, ["send", "den", text, "--user", "bot", "--url", own.url], {
      env: { ROOMCAST_API_KEY: MANAGE_KEY },
    });
  await send("before");
  const lines = tail(t, ["den", "--json", "--url", own.url, "--key-file", keyFile]);
  assert.equal(await lines.next(), "before");
  await own.kill9();
  assert.match(await lines.notice(), /does not answer.*; trying again/);
  await own.start();
  await send("after");
  assert.equal(await lines.next(), "after");
});

test("without --url the settings say where the server is", async () => {
  const flags = ["--listen", `127.0.0.1:${server.port}`, "--key-file", keyFile];
  const { code, stderr } = await runProgram(ROOMCAST, ["rooms", ...flags]);
  assert.equal(code, 0, stderr);
});

test("a server is asked at a Unix socket", async () => {
  for (const flags of [
    ["--url", socket],
    ["--listen", socket],
  ]) {
    const words = ["users", ...flags, "--key-file", keyFile];
    const { code, stdout, stderr } = await runProgram(ROOMCAST, words);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^USER /);
  }
  const away = await runProgram(ROOMCAST, ["health", "--url", "unix:/nonexistent/socket"]);
  assert.equal(away.code, 1);
  assert.match(away.stderr, /^unix:\/nonexistent\/socket does not answer/);
});

test("a room or user that does not exist is said to be so", async (t) => {
  const room = unique("room");
  const history = await ask(["history", room]);
  assert.deepEqual([history.code, history.stdout], [3, ""]);
  assert.match(history.stderr, /no_such_room/);
  const lines = tail(t, [room, "--json", "--url", server.url, "--key-file", keyFile]);
  assert.match(await lines.notice(), new RegExp(`no room ${room} yet \\(no_such_room\\); waiting`));
  await linesOf("send", room, "first", "--user", "bot");
  assert.equal(await lines.next(), "first");
  assert.deepEqual(await linesOf("history", room, "--after", "1"), [], "the room exists");
  const ann = await joinAsGuest(t, wsJson, server, "ann", { room });
  const [{ connection }] = (await linesOf("connections", ann.name, "--json")).map(JSON.parse);
  const gone = connection.replace(/c[0-9a-f]+$/, "cfffffff");
  assert.notEqual(gone, connection);
  for (const [words, why] of [
    [["disconnect", unique("nobody")], /nobody\S* has no connection in \//],
    [["disconnect", "--connection", gone], /there is no connection \S+cfffffff in \//],
  ]) {
    const { code, stderr } = await ask(words);
    assert.equal(code, 3, stderr);
    assert.match(stderr, why);
  }
});

test("health is the exit code", async () => {
  assert.deepEqual(await linesOf("health"), ['{"status":"ready"}']);
  const { code, stderr } = await runProgram(ROOMCAST, ["health", "--url", "http://127.0.0.1:1"]);
  assert.equal(code, 1);
  assert.match(stderr, /does not answer: .*refused/);
});

test("mistakes have exit codes and name what is wrong", async () => {
  const publish = path.join(folder, "publish");
  await writeFile(publish, PUBLISH_KEY);
  const at = ["--url", server.url];
  const key = ["--key-file", keyFile];
  for (const [code, words, why] of [
    [2, ["rooms", "--url", "ftp://x", ...key], /this is not http:\/\/host:port/],
    [2, ["rooms", "--key-file", "/nonexistent/key", ...at], /\/nonexistent\/key: No such file/],
    [2, ["send", "den", "hi", ...at, ...key], /--user/],
    [2, ["send", "den", "two", "texts", "--user", "bot", ...at, ...key], /quote it/],
    [2, ["send", "den", "--event", "x", "{", ...at, ...key], /an argument of an event is JSON/],
    [2, ["history", "den", "--before", "1", "--after", "1", ...at, ...key], /cannot be used with/],
    [3, ["rooms", ...at], /no key was given: --key-file.*unauthorized/],
    [3, ["rooms", "--key-file", publish, ...at], /forbidden/],
    [3, ["rooms", "--space", "/none", ...at, ...key], /unknown_space/],
    [3, ["kick", "den", unique("nobody"), ...at, ...key], /no_such_user/],
    [3, ["ban", "eve", "--until", "tomorrow", ...at, ...key], /bad_request/],
    [1, ["rooms", "--url", "http://127.0.0.1:1", ...key], /does not answer/],
  ]) {
    const ended = await runProgram(ROOMCAST, words);
    assert.equal(ended.code, code, `${words}: ${ended.stderr}`);
    assert.match(ended.stderr, why, `${words}`);
    assert.equal(ended.stdout, "", `${words}`);
    assert.ok(!ended.stderr.includes(MANAGE_KEY) && !ended.stderr.includes(PUBLISH_KEY));
  }
});

test("shells and manual pages know every command", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, stdout } = await runProgram(ROOMCAST, ["completions", shell]);
    assert.equal(code, 0);
    for (const word of ["tail", "check-config", "key-file"]) assert.ok(stdout.includes(word));
  }
  const { code, stdout } = await runProgram(ROOMCAST, ["man", folder]);
  assert.equal(code, 0);
  assert.match(stdout, /^\d+ pages\n$/);
  assert.match(await readFile(path.join(folder, "roomcast-tail.1"), "utf8"), /^\.SH SYNOPSIS$/m);
  assert.equal((await runProgram(ROOMCAST, ["man", path.join(folder, "none")])).code, 2);
});

/** What `roomcast tail` prints with these words: the texts of messages, and notices. */
function tail(t, words) {
  const child = startProcess(ROOMCAST, ["tail", ...words]);
  t.after(() => child.kill("SIGKILL"));
  const linesOf = (stream) => createInterface({ input: stream })[Symbol.asyncIterator]();
  const [messages, notices] = [linesOf(child.stdout), linesOf(child.stderr)];
  const next = async (lines, what) => (await withTimeout(what, lines.next())).value;
  return {
    next: async () => JSON.parse(await next(messages, "a message of tail")).msg,
    notice: () => next(notices, "a notice of tail"),
  };
}
