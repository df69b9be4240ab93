// The dialect `json`. docs/dialects.md; the clients R3, R4 and R5.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connectDialect } from "../support/dialect.mjs";
import { connect, joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";

const server = serverForThisFile({
  settings: {
    events: [{ name: "price", to: "room" }],
    "limits.body_bytes_max": 1000,
  },
});

const HELLO = (message) => ({ event: "helloworld", message });

/** A client in `room`. */
async function open(t, room, query = {}) {
  const client = await connectDialect(t, server, { query: { dialect: "json", room, ...query } });
  assert.equal(await client.answer({ event: "ready?" }), "unkonwn command"); // it is in the room
  return client;
}

test("R3: helloworld reaches all clients, the sender included", async (t) => {
  const room = unique("room");
  const [ann, bob] = [await open(t, room), await open(t, room)];
  const remote = await open(t, unique("room"));
  ann.send(HELLO("there"));
  for (const client of [ann, bob]) {
    assert.deepEqual(await client.nextJson(), HELLO("helloworld there"));
  }
  assert.equal(await remote.answer("x"), "message is not json", "it has received nothing");
});

test("R4: with exclude=sender it reaches all others", async (t) => {
  const room = unique("room");
  const ann = await open(t, room, { exclude: "sender" });
  const bob = await open(t, room);
  ann.send(HELLO("there"));
  assert.deepEqual(await bob.nextJson(), HELLO("helloworld there"));
  bob.send(HELLO("back"));
  assert.deepEqual(await ann.nextJson(), HELLO("helloworld back"), "and nothing before");
});

test("bad frames are answered with the words of the original, and change nothing", async (t) => {
  const room = unique("room");
  const [ann, bob] = [await open(t, room), await open(t, room)];
  for (const [frame, answer] of [
    ["helloworld", "message is not json"],
    [Buffer.from("{}"), "message is not json"],
    ["{}", "no event"],
    ["[1]", "no event"],
    ['{"message":"x"}', "no event"],
    ['{"event":"nothing"}', "unkonwn command"],
  ]) {
    assert.equal(await ann.answer(frame), answer);
  }
  const refused = (code) => JSON.stringify({ event: "error", message: code });
  assert.equal(await ann.answer(HELLO(" ")), refused("message_empty"));
  assert.equal(await ann.answer(HELLO("x".repeat(1000))), refused("message_too_large"));
  ann.send(HELLO("last"));
  assert.deepEqual(await bob.nextJson(), HELLO("helloworld last"));
});

test("close closes", async (t) => {
  const ann = await open(t, unique("room"));
  ann.send({ event: "close" });
  assert.deepEqual(await ann.close(), { code: 1000, reason: "" });
});

test("R5: every client receives the clock", async (t) => {
  const ticking = await serverForThisTest(t, { settings: { clock_secs: 1 } });
  const ann = await connectDialect(t, ticking, { protocols: ["json"] });
  const { event, message } = await ann.nextJson();
  assert.equal(event, "clock");
  assert.ok(Math.abs(Date.parse(message) - Date.now()) < 10_000, message);
});

test("users of Socket.IO and of dialects share a room, its log and its events", async (t) => {
  const room = unique("room");
  const bob = await joinAsGuest(t, socketIo("4.8", "websocket"), server, "bob", { room });
  const ann = await open(t, room);
  const echo = await connectDialect(t, server, {
    protocols: ["echo-protocol"],
    path: `/ws/${room}`,
  });
  await echo.answer(Buffer.from("ready?"));
  ann.send(HELLO("from json"));
  assert.equal((await bob.next("new message")).msg, "from json");
  assert.equal(await echo.next(), "from json");
  assert.deepEqual(await ann.nextJson(), HELLO("helloworld from json"));
  await bob.ask("send message", { room, msg: { a: [1] } });
  assert.equal(await echo.next(), '{"a":[1]}');
  assert.deepEqual(await ann.nextJson(), HELLO('helloworld {"a":[1]}'));
  const { messages } = await bob.ask("history", { room });
  assert.deepEqual(
    messages.map((it) => it.msg),
    ["from json", { a: [1] }],
  );
  assert.match(messages[0].username, /^guest-/);
  await bob.requestWith("price", [{ eur: 1 }]);
  assert.deepEqual(await ann.nextJson(), { event: "price", message: { eur: 1 } });
});

test("a drain is announced, and closed with its code", async (t) => {
  const draining = await serverForThisTest(t);
  const ann = await connectDialect(t, draining, { protocols: ["json"] });
  assert.equal(await ann.answer({ event: "ready?" }), "unkonwn command");
  const stopped = draining.stop();
  assert.deepEqual(await ann.nextJson(), { event: "closing", message: "draining" });
  assert.equal((await ann.close()).code, 1001);
  await stopped;
});

test("a client that may not choose a name is closed", async (t) => {
  const closed = await serverForThisTest(t, { settings: { guests: "off" } });
  const ann = await connectDialect(t, closed, { protocols: ["json"] });
  assert.deepEqual(await ann.nextJson(), { event: "closing", message: "invalid_user" });
  assert.deepEqual(await ann.close(), { code: 4001, reason: "Invalid user" });
});

test("a token names the user", async (t) => {
  const room = unique("room");
  const bob = await joinAsGuest(t, socketIo("4.8", "websocket"), server, "bob", { room });
  const guest = await connect(t, socketIo("4.8", "websocket"), server);
  const { token, name } = await guest.identify(unique("ann"));
  guest.close();
  const ann = await open(t, room, { token });
  ann.send(HELLO("it is me"));
  assert.equal((await bob.next("new message")).username, name);
});
