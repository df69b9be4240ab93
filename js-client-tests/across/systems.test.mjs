// Clients whose server did what the protocol itself does, written as theirs were. Those of other wire
// formats are under dialects/.

import assert from "node:assert/strict";
import { test } from "node:test";

import { io as io4 } from "socket.io-client";
import io23 from "socket.io-client-2-3";
import WebSocket from "ws";

import { API_SETTINGS, askApi } from "../support/api.mjs";
import { joinAsGuest, joinAsUser } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { once, withTimeout } from "../support/timeouts.mjs";
import { epochSeconds, SECRET, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson, wsUrl } from "../support/ws.mjs";

const settings = { ...API_SETTINGS, "token.secret": SECRET, "limits.presence_grace_ms": 0 };
const server = serverForThisFile({ settings });
const oneDevice = serverForThisFile({ settings: { ...settings, devices: "newest" } });

/** A token for `sub`. */
const tokenFor = (sub) => signToken(server, { sub, exp: epochSeconds(600) });

test("R10: names as events, with a token in the query of the handshake", async (t) => {
  const [ann, bob] = [unique("ann"), unique("bob")];
  const [one, two] = await Promise.all(
    [ann, bob].map(async (name) => {
      const socket = io4(server.url, { query: { token: await tokenFor(name) }, forceNew: true });
      t.after(() => socket.close());
      const [welcome] = await once(socket, "welcome");
      assert.equal(welcome.user, name);
      return socket;
    }),
  );
  const { users } = await one.emitWithAck("GroupList");
  assert.ok([ann, bob].every((it) => users.includes(it)));
  const chat = once(two, "GroupChat");
  await one.emitWithAck("GroupChat", "hi");
  const [{ user, data }] = await chat;
  assert.deepEqual([user, data], [ann, "hi"]);
  const single = once(one, "SingleChat");
  await two.emitWithAck("SingleChat", { to: ann, data: "only you" });
  assert.equal((await single)[0].data, "only you");
  const left = once(one, "user left");
  two.close();
  assert.equal((await left)[0].user, bob);
});

test("R11: a client with a UUID is told whether it returns, and misses nothing", async (t) => {
  const device = crypto.randomUUID();
  const room = unique("room");
  const ann = await joinAsUser(t, wsJson, server, "ann", { device, room });
  assert.equal(ann.welcome.returning, false);
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  const { seq } = await bob.ask("send message", { room, msg: "1" });
  const { epoch } = ann.welcome;
  ann.drop();
  await bob.next("user left");
  await bob.ask("send message", { room, msg: "2" });
  const options = { device, room, since: { [room]: seq }, epoch, token: ann.token };
  const again = await wsJson.connect(server, options);
  t.after(() => again.close());
  await again.waitForWelcome();
  assert.equal(again.welcome.returning, true);
  assert.ok(Date.parse(again.welcome.lastSeen) <= Date.now());
  const { messages } = await again.next("missed");
  assert.deepEqual(
    messages.map((it) => it.msg),
    ["2"],
  );
});

test("R13: the page of a 2.3.0 client signs in, sees names and talks", async (t) => {
  const names = [unique("ann"), unique("bob")];
  const sockets = [];
  for (const name of names) {
    const socket = io23(server.url, { forceNew: true });
    t.after(() => socket.close());
    socket.lists = [];
    socket.on("get users", (users) => socket.lists.push(users));
    await once(socket, "connect");
    const isIn = await new Promise((resolve) => socket.emit("new user", name, resolve));
    assert.equal(isIn, true);
    sockets.push(socket);
  }
  const [one, two] = sockets;
  const third = io23(server.url, { forceNew: true });
  t.after(() => third.close());
  const taken = await new Promise((resolve) => third.emit("new user", names[0], resolve));
  assert.equal(taken, false);
  while (!names.every((name) => one.lists.at(-1)?.includes(name))) await once(one, "get users");
  const received = once(two, "new message");
  one.emit("send message", "hello");
  const [{ msg, username }] = await received;
  assert.deepEqual([msg, username], ["hello", names[0]]);
  two.close();
  while (one.lists.at(-1).includes(names[1])) await once(one, "get users");
});

test("R14: a route, the page beside it, the number online, all, a group, and one to one", async (t) => {
  const room = unique("room");
  const clients = [];
  for (let i = 0; i < 6; i += 1) {
    clients.push(await joinAsGuest(t, wsJson, server, `user${i}`, { path: `/ws/${room}` }));
  }
  assert.equal((await fetch(server.url)).status, 200);
  const { count } = await clients[0].ask("GroupList", {});
  assert.equal(count, 6);
  await clients[0].ask("send message", { msg: "to all" });
  for (const client of clients) assert.equal((await client.next("new message")).msg, "to all");
  const five = unique("five");
  for (const client of clients.slice(0, 5)) await client.ask("join", five);
  await clients[0].ask("GroupChat", { room: five, data: "to five" });
  for (const client of clients.slice(1, 5)) {
    assert.equal((await client.next("GroupChat")).data, "to five");
  }
  await clients[0].ask("SingleChat", { to: clients[5].name, data: "to you" });
  assert.equal((await clients[5].next("SingleChat")).data, "to you");
  assert.equal(clients[5].events.count("GroupChat"), 0);
});

test("R15: a token in the query, as Bearer or as Basic, and 401 before the upgrade", async (t) => {
  const token = await tokenFor(unique("ann"));
  const ways = (it) => [
    { query: { token: it } },
    { headers: { authorization: `Bearer ${it}` } },
    { credentials: ["x", it] },
  ];
  for (const { headers, ...address } of ways(token)) {
    const socket = new WebSocket(wsUrl(server, address), { headers });
    t.after(() => socket.terminate());
    await once(socket, "open");
  }
  for (const { headers, ...address } of ways("nonsense")) {
    const socket = new WebSocket(wsUrl(server, address), { headers });
    const refused = new Promise((resolve) => {
      socket.on("unexpected-response", (_, response) => resolve(response.statusCode));
    });
    assert.equal(await withTimeout("the refusal", refused), 401);
  }
});

test("R16: who is online, one device at a time, and an unread count", async (t) => {
  const ann = await joinAsUser(t, wsJson, oneDevice, "ann", { device: unique("old") });
  const online = await askApi(oneDevice, `presence?user=${ann.name}`);
  assert.equal(online.body.users[0].online, true);
  const again = await wsJson.connect(oneDevice, { token: ann.token, device: unique("new") });
  t.after(() => again.close());
  await again.waitForWelcome();
  assert.equal((await withTimeout("the close", ann.closed)).code, 4500);
  const claims = { admin: true };
  const admin = await joinAsUser(t, wsJson, oneDevice, "admin", { claims });
  await admin.ask("notify", { to: again.name, data: "look" });
  const { data, unread } = await again.next("notification");
  assert.deepEqual([data, unread], ["look", 1]);
});
