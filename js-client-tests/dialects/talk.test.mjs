// The dialect `talk`. docs/dialects.md; the clients R7 and R8.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connectDialect } from "../support/dialect.mjs";
import { joinAsGuest, joinAsUser } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";

const server = serverForThisFile({
  settings: {
    paths: [{ path: "/channel", dialect: "talk", room: "{query.id}" }],
    "token.secret": SECRET,
    "limits.presence_grace_ms": 0,
  },
});

/** A connection to the channel `id`. */
const connectTo = (t, id) => connectDialect(t, server, { path: "/channel", query: { id } });

/** A client that is called `user`, and its token. */
async function open(t, id, user) {
  const client = await connectTo(t, id);
  client.send({ event: "auth", user });
  const { event, message } = await client.nextJson();
  assert.deepEqual([event, typeof message], ["token", "string"]);
  client.auth = message;
  return client;
}

/** The names that a client receives on request. */
async function list(client) {
  client.send({ event: "user_list", auth: client.auth });
  const { event, message } = await client.nextJson();
  assert.equal(event, "user_list");
  return message.sort();
}

const message = (text) => ({ event: "message", message: text });

test("R7: a channel comes with its first client, and its messages stay in it", async (t) => {
  const [id, other] = [unique("1"), unique("2")];
  const [ann, bob] = [await open(t, id, unique("ann")), await open(t, id, unique("bob"))];
  const eve = await open(t, other, unique("eve"));
  ann.send({ event: "talk_with", auth: ann.auth, message: "hi" });
  assert.deepEqual(await bob.nextJson(), message("hi"));
  bob.send({ event: "talk_with", auth: bob.auth, message: "back" });
  assert.deepEqual(await ann.nextJson(), message("back"), "and nothing before");
  assert.equal((await list(eve)).length, 1, "and nothing before");
});

test("R8: the directory, and messages to those who are named", async (t) => {
  const id = unique("1");
  const names = ["ann", "bob", "eve"].map((it) => unique(it));
  const [ann, bob, eve] = [
    await open(t, id, names[0]),
    await open(t, id, names[1]),
    await open(t, id, names[2]),
  ];
  assert.deepEqual(await list(ann), [...names].sort());
  const to = [names[1], names[2]];
  ann.send({ event: "talk_with", auth: ann.auth, message: { a: 1 }, with_cilents: to });
  for (const client of [bob, eve]) assert.deepEqual(await client.nextJson(), message({ a: 1 }));
  ann.send({ event: "talk_with", auth: ann.auth, message: "bob", with_cilents: [names[1]] });
  assert.deepEqual(await bob.nextJson(), message("bob"));
  assert.equal((await list(eve)).length, 3, "and nothing before");
});

test("R8: a taken name is told and closed", async (t) => {
  const [id, name] = [unique("1"), unique("ann")];
  await open(t, id, name);
  const second = await connectTo(t, id);
  second.send({ event: "auth", user: name });
  const taken = { event: "error", message: "auth error,user name already exist" };
  assert.deepEqual(await second.nextJson(), taken);
  assert.equal((await second.close()).code, 4502);
});

test("R8: an absent user is an error for the sender", async (t) => {
  const [id, bob] = [unique("1"), unique("bob")];
  const ann = await open(t, id, unique("ann"));
  const nobody = unique("nobody");
  const offline = await joinAsUser(t, socketIo("4.8", "websocket"), server, "eve", { room: id });
  await open(t, id, bob);
  const left = offline.name;
  const watcher = await joinAsGuest(t, socketIo("4.8", "websocket"), server, "sue", { room: id });
  offline.close();
  await watcher.next("user left", ({ user }) => user === left);
  const to = [nobody, left, bob];
  ann.send({ event: "talk_with", auth: ann.auth, message: "hi", with_cilents: to });
  const errors = [await ann.nextJson(), await ann.nextJson()];
  errors.sort((one, other) => other.user.localeCompare(one.user));
  assert.deepEqual(errors, [
    { event: "error", message: "no_such_user", user: nobody },
    { event: "error", message: "offline", user: left },
  ]);
});

test("R8: a missing or stale token is an error and closes", async (t) => {
  const id = unique("1");
  const ann = await open(t, id, unique("ann"));
  const refused = { event: "error", message: "unauthorized" };
  for (const auth of [undefined, "", "x", ann.auth]) {
    for (const event of ["user_list", "talk_with"]) {
      const client = await open(t, id, unique("bob"));
      client.send({ event, auth, message: "x" });
      assert.deepEqual(await client.nextJson(), refused);
      assert.deepEqual(await client.close(), { code: 4001, reason: "Invalid user" });
    }
  }
  const early = await connectTo(t, id);
  early.send({ event: "talk_with", auth: ann.auth, message: "x" });
  assert.deepEqual(await early.nextJson(), refused);
  assert.equal((await early.close()).code, 4001);
  assert.equal((await list(ann)).includes("x"), false, "and nothing before");
});

test("bad frames are errors with a code, and change nothing", async (t) => {
  const id = unique("1");
  const ann = await open(t, id, unique("ann"));
  const bob = await open(t, id, unique("bob"));
  const { auth } = ann;
  for (const [frame, code] of [
    ["nonsense", "bad_request"],
    ['["auth"]', "bad_request"],
    [Buffer.from("{}"), "bad_request"],
    [{ user: "ann" }, "bad_request"],
    [{ event: "auth" }, "bad_request"],
    [{ event: "auth", user: " " }, "name_invalid"],
    [{ event: "auth", user: unique("other") }, "already_identified"],
    [{ event: "nothing", auth }, "unknown_event"],
    [{ event: "talk_with", auth, message: " " }, "message_empty"],
    [{ event: "talk_with", auth, message: "x", with_cilents: [] }, "bad_request"],
    [{ event: "talk_with", auth, message: "x", with_cilents: "bob" }, "bad_request"],
  ]) {
    ann.send(frame);
    assert.deepEqual(await ann.nextJson(), { event: "error", message: code });
  }
  ann.send({ event: "talk_with", auth, message: "last" });
  assert.deepEqual(await bob.nextJson(), message("last"));
});

test("users of Socket.IO are in the same room", async (t) => {
  const id = unique("1");
  const bob = await joinAsGuest(t, socketIo("4.8", "websocket"), server, "bob", { room: id });
  const name = unique("ann");
  const ann = await open(t, id, name);
  ann.send({ event: "talk_with", auth: ann.auth, message: "hi" });
  assert.equal((await bob.next("GroupChat")).user, name);
  await bob.ask("SingleChat", { to: name, data: "to you" });
  assert.deepEqual(await ann.nextJson(), message("to you"));
  assert.deepEqual(await list(ann), [name, bob.name].sort());
});
