// The dialect `typed`. docs/dialects.md; the client R9.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connectDialect } from "../support/dialect.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { epochSeconds, SECRET, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";

const server = serverForThisFile({
  settings: {
    paths: [{ path: "/chat/{room}", dialect: "typed" }],
    "token.secret": SECRET,
    "limits.presence_grace_ms": 0,
  },
});

const ERROR = 0;
const GROUP_LIST = 1;
const GROUP_CHAT = 2;
const SINGLE_CHAT = 3;

/** A client of `name` in `room`, which has received its welcome and a list with its name. */
async function open(t, room, name) {
  const token = await signToken(server, { sub: name, exp: epochSeconds(600) });
  const client = await connectDialect(t, server, { path: `/chat/${room}`, query: { token } });
  const { usr, data } = await client.nextWhere((it) => it.type === GROUP_CHAT);
  assert.deepEqual([usr, data], [null, `Welcome ${name}`]);
  await client.nextWhere((it) => it.type === GROUP_LIST && it.data.includes(name));
  return client;
}

const isChat = (it) => it.type !== GROUP_LIST;

test("R9: a welcome, group chat to all others, and single chat", async (t) => {
  const room = unique("room");
  const [ann, bob, eve] = ["ann", "bob", "eve"].map((it) => unique(it));
  const [one, two, three] = [
    await open(t, room, ann),
    await open(t, room, bob),
    await open(t, room, eve),
  ];
  one.send({ type: GROUP_CHAT, usr: "somebody else", data: "to all" });
  for (const client of [two, three]) {
    const expected = { type: GROUP_CHAT, usr: ann, data: "to all" };
    assert.deepEqual(await client.nextWhere(isChat), expected, "the token names the user");
  }
  two.send({ type: SINGLE_CHAT, usr: bob, to: ann, data: { only: ["you"] } });
  const single = { type: SINGLE_CHAT, usr: bob, to: ann, data: { only: ["you"] } };
  assert.deepEqual(await one.nextWhere(isChat), single, "and nothing before");
  two.send({ type: GROUP_CHAT, usr: bob, data: "last" });
  const last = { type: GROUP_CHAT, usr: bob, data: "last" };
  assert.deepEqual(await three.nextWhere(isChat), last, "nothing of the single chat");
});

test("all receive the list of names when somebody comes or goes, and on request", async (t) => {
  const room = unique("room");
  const [ann, bob] = [unique("ann"), unique("bob")];
  const one = await open(t, room, ann);
  const two = await open(t, room, bob);
  const both = [ann, bob].sort();
  const isList = (names) => (it) => it.type === GROUP_LIST && `${it.data}` === `${names}`;
  const { usr } = await one.nextWhere(isList(both));
  assert.equal(usr, null);
  two.send({ type: GROUP_LIST, usr: bob, data: "" });
  await two.nextWhere(isList(both));
  two.socket.close();
  await two.close();
  await one.nextWhere(isList([ann]));
});

test("a bad token is told and closed", async (t) => {
  const expired = await signToken(server, { sub: "ann", exp: epochSeconds(-600) });
  for (const query of [{ token: "nonsense" }, { token: expired }, {}]) {
    const client = await connectDialect(t, server, { path: "/chat/lobby", query });
    assert.deepEqual(await client.nextJson(), { type: ERROR, usr: null, data: "Invalid Token" });
    assert.deepEqual(await client.close(), { code: 4001, reason: "Invalid user" });
  }
});

test("bad frames are errors with a code, and change nothing", async (t) => {
  const room = unique("room");
  const one = await open(t, room, unique("ann"));
  const two = await open(t, room, unique("bob"));
  for (const [frame, code] of [
    ["nonsense", "bad_request"],
    ['[2,"x"]', "bad_request"],
    [Buffer.from("{}"), "bad_request"],
    [{ type: ERROR, data: "x" }, "bad_request"],
    [{ type: 4, data: "x" }, "bad_request"],
    [{ type: GROUP_CHAT, data: " " }, "message_empty"],
    [{ type: SINGLE_CHAT, data: "x" }, "bad_request"],
    [{ type: SINGLE_CHAT, to: unique("nobody"), data: "x" }, "no_such_user"],
  ]) {
    one.send(frame);
    const { type, usr, data } = await one.nextWhere(isChat);
    assert.deepEqual({ type, usr, data }, { type: ERROR, usr: null, data: code });
  }
  one.send({ type: GROUP_CHAT, data: "last" });
  assert.equal((await two.nextWhere(isChat)).data, "last");
});

test("users of Socket.IO are in the same room", async (t) => {
  const room = unique("room");
  const bob = await joinAsGuest(t, socketIo("4.8", "websocket"), server, "bob", { room });
  const name = unique("ann");
  const ann = await open(t, room, name);
  ann.send({ type: GROUP_CHAT, data: "hi" });
  assert.deepEqual((await bob.next("GroupChat")).user, name);
  await bob.ask("send message", { room, msg: "to all" });
  const said = { type: GROUP_CHAT, usr: bob.name, data: "to all" };
  assert.deepEqual(await ann.nextWhere(isChat), said);
  await bob.ask("SingleChat", { to: name, data: "to you" });
  const single = { type: SINGLE_CHAT, usr: bob.name, to: name, data: "to you" };
  assert.deepEqual(await ann.nextWhere(isChat), single);
});
