// What a client of another language does: docs/clients.md. The other side is an official client.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { connectWithToken, joinAsUser } from "../support/fixtures.mjs";
import { freePort } from "../support/free-port.mjs";
import { serverForThisTest } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { TerminalClient } from "../support/terminal-client.mjs";
import { epochSeconds, SECRET, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";

/** An event of the application. */
const PICTURE = { name: "picture", to: "others" };
const OFFICIAL = socketIo("4.8", "websocket");

/**
 * `command` makes the command line of `{ url, name?, token? }`. Bytes are in a "message", or the one
 * argument of an "event", where a library has no others.
 */
export function terminalClient(label, command, { bytesIn = "message" } = {}) {
  test(`${label}: a guest and a user talk, and receive what they missed`, async (t) => {
    const settings = { "token.secret": SECRET, events: [PICTURE] };
    const server = await serverForThisTest(t, { settings, port: await freePort() });
    const ann = (await joinAsUser(t, OFFICIAL, server, "ann")).listenTo("picture");
    const [guest, user] = [unique("guest"), unique("user")];
    const token = await signToken(server, { sub: user, exp: epochSeconds(600) });
    const programs = await Promise.all([
      enter(t, guest, command({ url: server.url, name: guest })),
      enter(t, user, command({ url: server.url, token })),
    ]);
    for (const it of programs) await talk(it, ann, bytesIn);
    const back = await missWhileTheServerRestarts(t, server, programs, ann);
    for (const it of programs) await talk(it, back, bytesIn);
    const last = assertOk(await back.ask("send message", "the last one")).seq;
    const all = Array.from({ length: last }, (_, at) => at + 1);
    for (const { program } of programs) {
      await program.next("new message", ({ seq }) => seq === last);
      assert.deepEqual(
        program.seqs.sort((a, b) => a - b),
        all,
        "each entry, once",
      );
      await program.end();
    }
  });
}

/** A program that is in the lobby, and the name of its user. */
async function enter(t, name, command) {
  const program = new TerminalClient(t, command);
  const { user, rooms } = await program.next("welcome");
  assert.equal(user, name);
  assert.deepEqual(
    rooms.map(({ room }) => room),
    ["lobby"],
  );
  return { program, name };
}

/** Text and bytes in both directions. */
async function talk({ program, name }, other, bytesIn) {
  await exchange({ program, name }, other, `I am ${name}`, [`I am ${name}`, `I am ${name}`]);
  const bytes = randomBytes(5);
  const typed = `/bytes ${bytes.toString("hex")}`;
  if (bytesIn === "message") {
    const printed = { base64: bytes.toString("base64") };
    return exchange({ program, name }, other, typed, [bytes, printed]);
  }
  program.type(typed);
  await other.next("picture", ([received]) => bytes.equals(received));
  const answer = randomBytes(5);
  assertOk(await other.askWith("picture", [answer]));
  await program.next("picture", ({ hex }) => hex === answer.toString("hex"));
}

/** A message in both directions: as it is typed, as others receive it, and as it is printed. */
async function exchange({ program, name }, other, typed, [received, printed]) {
  program.type(typed);
  const stored = assertOk(await program.next("stored"));
  const message = await other.next("new message", ({ seq }) => seq === stored.seq);
  assert.deepEqual([message.username, message.msg], [name, received]);
  const { seq } = assertOk(await other.ask("send message", { msg: received }));
  const { username, msg } = await program.next("new message", (it) => it.seq === seq);
  assert.deepEqual([username, msg], [other.name, printed]);
}

/** Restarts the server, and sends messages before the programs come back; returns the sender. */
async function missWhileTheServerRestarts(t, server, programs, { token }) {
  await server.exitOn("SIGTERM");
  for (const { program } of programs) {
    assert.equal((await program.next("closing")).code, "draining");
    program.pause();
  }
  await server.start();
  const sender = await connectWithToken(t, OFFICIAL, server, token);
  const expected = [];
  for (const msg of ["one", "two", "three"]) {
    const { seq } = assertOk(await sender.ask("send message", msg));
    expected.push({ seq, msg });
  }
  for (const { program } of programs) program.resume();
  for (const { program, name } of programs) {
    assert.equal((await program.next("welcome")).user, name);
    const { messages, recovered, more } = await program.next("missed");
    assert.deepEqual([recovered, more], [true, false]);
    assert.deepEqual(
      messages.map(({ seq, msg }) => ({ seq, msg })),
      expected,
    );
  }
  return sender.listenTo("picture");
}
