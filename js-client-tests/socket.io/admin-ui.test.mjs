// The namespace of the official Admin UI: what its page is told, and what its commands do.
// docs/operations.md.

import assert from "node:assert/strict";
import { test } from "node:test";

import { adminUi } from "../suites/admin-ui.mjs";
import { ADMIN_UI_SETTINGS, AdminClient, CREDENTIALS, LOGIN_FAILED } from "../support/admin-ui.mjs";
import { API_SETTINGS, askApi } from "../support/api.mjs";
import { connectAnonymously, joinAsGuest, joinAsUser } from "../support/fixtures.mjs";
import { serverForThisFile, serverForThisTest } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { once } from "../support/timeouts.mjs";
import { SECRET } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

const COMMANDS = ["EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT"];
const VIEWS = ["AGGREGATED_EVENTS", "ALL_EVENTS"];

const settings = {
  ...ADMIN_UI_SETTINGS,
  ...API_SETTINGS,
  spaces: ["/*"],
  "token.secret": SECRET,
  "limits.presence_grace_ms": 200,
};
const server = serverForThisFile({ settings, expectedLog: [LOGIN_FAILED] });
const readOnly = serverForThisFile({
  settings: { ...settings, "admin.ui.read_only": "on" },
});
const open = serverForThisFile({
  settings: { "admin.ui.enabled": "on", "admin.ui.auth": "none" },
  expectedLog: [/admin\.ui\.auth = "none"/],
});

for (const [label, options] of [
  ["polling", { transports: ["polling"] }],
  ["an upgrade", { transports: ["polling", "websocket"] }],
  ["WebSocket", { transports: ["websocket"] }],
  ["WebSocket with msgpack", { transports: ["websocket"], msgpack: true }],
]) {
  test(`a page over ${label} is told of sockets and servers, and takes commands`, async (t) => {
    const room = unique("room");
    const ann = await joinAsUser(t, wsJson, server, "ann", { room });
    const page = await AdminClient.connect(t, server, CREDENTIALS, options);
    assert.deepEqual(page.events.slice(0, 4), ["session", "config", "all_sockets", "server_stats"]);
    assert.deepEqual(page.features, [...COMMANDS, ...VIEWS]);
    const socket = await page.socketOf(ann.name);
    assert.deepEqual(
      { ...socket, handshake: { ...socket.handshake, issued: 0, time: "" } },
      {
        id: socket.id,
        clientId: socket.id,
        transport: "ws",
        nsp: "/",
        data: { user: ann.name },
        handshake: { address: "127.0.0.1", headers: {}, query: {}, issued: 0, time: "" },
        rooms: [socket.id, ...[room, "lobby"].filter((it) => socket.rooms.includes(it))],
      },
    );
    assert.ok(Math.abs(Date.now() - socket.handshake.issued) < 60_000);
    page.socket.emit("leave", "/", room, socket.id);
    await page.untilOut(socket, room);
    assert.equal((await ann.next("membership")).role, null);
  });
}

test("a session is enough on the next connection, and is not sent again", async (t) => {
  const { session } = await AdminClient.connect(t, server);
  assert.match(session, /^[\w-]{40,}$/);
  const again = await AdminClient.connect(t, server, { sessionId: session });
  assert.equal(again.session, undefined);
  assert.deepEqual(again.features, [...COMMANDS, ...VIEWS]);
});

test("a wrong password or session is refused with the words that the page knows", async (t) => {
  for (const transports of [["polling"], ["websocket"]]) {
    for (const auth of [
      { username: "root", password: "wrong" },
      { username: "ROOT", password: "secret" },
      { sessionId: "wrong" },
      { username: "root" },
      {},
    ]) {
      const message = await AdminClient.refusal(t, server, auth, { transports });
      assert.equal(message, "invalid credentials", JSON.stringify(auth));
    }
  }
  const { session } = await AdminClient.connect(t, server);
  const changed = `B${session.slice(1)}`;
  const message = await AdminClient.refusal(t, server, { sessionId: changed });
  assert.equal(message, "invalid credentials");
});

test("an address with five wrong passwords is refused for a while", async (t) => {
  const own = await serverForThisTest(t, {
    settings: ADMIN_UI_SETTINGS,
    expectedLog: [LOGIN_FAILED],
  });
  const { session } = await AdminClient.connect(t, own);
  const wrong = { username: "root", password: "wrong" };
  for (let n = 0; n < 5; n += 1) {
    assert.equal(await AdminClient.refusal(t, own, wrong), "invalid credentials");
  }
  assert.equal(await AdminClient.refusal(t, own, CREDENTIALS), "too_fast");
  await AdminClient.connect(t, own, { sessionId: session }); // guesses lock nobody out
});

test("at most 16 pages are open on a node", async (t) => {
  const own = await serverForThisTest(t, { settings: ADMIN_UI_SETTINGS });
  const first = await AdminClient.connect(t, own);
  const auth = { sessionId: first.session };
  await Promise.all(Array.from({ length: 15 }, () => AdminClient.connect(t, own, auth)));
  assert.equal(await AdminClient.refusal(t, own, auth), "unavailable");
  first.socket.close();
  await waitUntil("a free place", async () => {
    const socket = AdminClient.open(t, own, auth);
    const connected = new Promise((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("connect_error", () => resolve(false));
    });
    return connected;
  });
});

test("connections come, change and go", async (t) => {
  const page = await AdminClient.connect(t, server);
  const { rawConnection: before } = page.counts;
  const [space, room] = [unique("/space"), unique("room")];
  const client = await connectAnonymously(t, socketIo("4.8", "polling"), server, { space, room });
  const found = () => [...page.sockets.values()].find(({ nsp }) => nsp === space);
  await page.until("the anonymous socket", () => found() !== undefined);
  const socket = found();
  assert.deepEqual([socket.data, socket.transport], [{ user: null }, "polling"]);
  assert.deepEqual(socket.rooms, [socket.id], "who is nobody yet is in no room");
  await page.until("the figures", () =>
    [...page.servers.values()].some(({ namespaces }) =>
      namespaces.some((it) => it.name === space && it.socketsCount === 1),
    ),
  );
  await page.until("the count", () => page.counts.rawConnection > before);
  await client.identify(unique("bob"));
  await page.until("the user", () => page.sockets.get(socket.id)?.data.user === client.name);
  const next = unique("next");
  assert.equal((await client.ask("join", { room: next })).ok, true);
  await page.untilIn(socket, next);
  assert.equal((await client.ask("leave", { room: next })).ok, true);
  await page.untilOut(socket, next);
  await client.close();
  await page.until("the end", () => !page.sockets.has(socket.id));
  await page.until("no rooms", () => ![...page.rooms.keys()].some((it) => it.startsWith(space)));
  await page.until("the end in the counts", () => page.counts.rawDisconnection > 0);
});

test("a user's socket joins and leaves a room as a member", async (t) => {
  const page = await AdminClient.connect(t, server);
  const ann = await joinAsUser(t, wsJson, server, "ann");
  const socket = await page.socketOf(ann.name);
  const room = unique("room");
  page.socket.emit("join", "/", room, socket.id);
  const joined = await ann.next("membership", (it) => it.room === room);
  assert.equal(joined.role, "member");
  await page.untilIn(socket, room);
  assert.equal((await ann.ask("send message", { room, msg: "x" })).ok, true);
  page.socket.emit("leave", "/", room, socket.id);
  assert.equal((await ann.next("membership", (it) => it.room === room)).role, null);
  await page.untilOut(socket, room);
});

test("all sockets of a room leave it, or are disconnected", async (t) => {
  const page = await AdminClient.connect(t, server);
  const room = unique("room");
  const users = [];
  for (const base of ["ann", "bob"])
    users.push(await joinAsUser(t, wsJson, server, base, { room }));
  const other = await joinAsUser(t, wsJson, server, "other");
  const sockets = await Promise.all(users.map(({ name }) => page.socketOf(name)));
  const group = unique("group");
  page.socket.emit("join", "/", group, room);
  for (const socket of sockets) await page.untilIn(socket, group);
  page.socket.emit("leave", "/", group);
  for (const socket of sockets) await page.untilOut(socket, group);
  page.socket.emit("_disconnect", "/", false, room);
  for (const user of users) assert.equal((await user.next("closing")).code, "disconnected");
  for (const { id } of sockets) await page.until("the end", () => !page.sockets.has(id));
  assert.equal((await other.ask("GroupList", {})).ok, true, "it is in another room");
});

adminUi(() => [server, server]);

test("a disconnected client stays away", async (t) => {
  const page = await AdminClient.connect(t, server);
  for (const close of [false, true]) {
    const ann = await joinAsUser(t, socketIo("4.8", "websocket"), server, "ann");
    const { id } = await page.socketOf(ann.name);
    page.socket.emit("_disconnect", "/", close, id);
    assert.equal((await ann.next("closing")).code, "disconnected");
    await page.until("the end", () => !page.sockets.has(id));
  }
});

test("an event reaches a socket, a room or all", async (t) => {
  const page = await AdminClient.connect(t, server);
  const [space, room] = [unique("/space"), unique("room")];
  const ann = await joinAsGuest(t, wsJson, server, "ann", { space, room });
  const bob = await joinAsGuest(t, socketIo("4.8", "polling"), server, "bob", { space });
  for (const it of [ann, bob]) it.listenTo("offer");
  const { id } = await page.socketOf(ann.name);
  page.socket.emit("emit", space, id, "offer", "one", { n: 1 });
  assert.deepEqual(await ann.next("offer"), ["one", { n: 1 }]);
  page.socket.emit("emit", space, room, "offer", "room");
  assert.deepEqual(await ann.next("offer"), ["room"]);
  page.socket.emit("emit", space, undefined, "offer", "all");
  for (const it of [ann, bob]) assert.deepEqual(await it.next("offer"), ["all"]);
});

test("a command that is none changes nothing, and the page stays", async (t) => {
  const page = await AdminClient.connect(t, server);
  const room = unique("room");
  const ann = await joinAsUser(t, wsJson, server, "ann", { room });
  const socket = await page.socketOf(ann.name);
  const deep = JSON.parse("[".repeat(80) + "]".repeat(80));
  for (const command of [
    ["leave"],
    ["leave", "/"],
    ["leave", "nowhere", room],
    ["leave", "/", ""],
    ["leave", "/", 7, socket.id],
    ["leave", "/", room, 7],
    ["leave", "/", room, "no such room"],
    ["join", "/", "x".repeat(1000), socket.id],
    ["emit", "/", room, "message edited", {}],
    ["emit", "/", room, "offer", deep],
    ["delete", "/", room],
    ["_disconnect", "/", true, "no such room"],
  ]) {
    page.socket.emit(...command);
  }
  const last = unique("last");
  page.socket.emit("join", "/", last, socket.id);
  await page.untilIn(socket, last);
  assert.ok(page.isIn(socket, room));
  assert.ok(page.socket.connected && (await ann.ask("GroupList", {})).ok);
});

test("a page that only reads is offered no command, and none is done", async (t) => {
  const page = await AdminClient.connect(t, readOnly);
  assert.deepEqual(page.features, VIEWS);
  const room = unique("room");
  const ann = await joinAsUser(t, wsJson, readOnly, "ann", { room });
  const { id } = await page.socketOf(ann.name);
  page.socket.emit("leave", "/", room, id);
  page.socket.emit("_disconnect", "/", true, id);
  const refused = () => readOnly.log.filter((it) => it.includes("admin UI command refused"));
  await page.until("the refusals", () => refused().length === 2);
  assert.ok(page.isIn({ nsp: "/", id }, room) && (await ann.ask("GroupList", {})).ok);
});

test("without a password everybody is let in", async (t) => {
  const page = await AdminClient.connect(t, open, { username: "", password: "" });
  assert.equal(page.session, undefined);
  assert.deepEqual(page.features, [...COMMANDS, ...VIEWS]);
});

test("the namespace is no space, although a pattern has it", async (t) => {
  const { body } = await askApi(server, "users?space=%2Fadmin");
  assert.equal(body.code, "unknown_space");
  await assert.rejects(connectAnonymously(t, wsJson, server, { space: "/admin" }));
  const encoded = socketIo("4.8", "websocket").open(server.url, { space: "/%61dmin" });
  t.after(() => encoded.close());
  assert.equal((await once(encoded, "connect_error"))[0].message, "Invalid namespace");
});

test("with an address of its own, the Admin UI is there alone", async (t) => {
  const own = await serverForThisTest(t, {
    settings: { ...settings, spaces: ["/shop"], "admin.listen": "127.0.0.1:0" },
  });
  const ann = await joinAsUser(t, socketIo("4.8", "polling"), own, "ann");
  assert.equal(await AdminClient.refusal(t, own), "Invalid namespace");
  assert.equal((await fetch(`${own.url}/admin/`)).status, 404);
  for (const transports of [["polling"], ["websocket"]]) {
    const page = await AdminClient.connect(t, own.admin, CREDENTIALS, { transports });
    assert.equal((await page.socketOf(ann.name)).transport, "polling");
  }
  for (const space of ["/", "/shop"]) {
    const client = socketIo("4.8", "websocket").open(own.admin.url, { space });
    t.after(() => client.close());
    assert.equal((await once(client, "connect_error"))[0].message, "Invalid namespace");
  }
});

test("pages of other origins are refused", async (t) => {
  const options = { extraHeaders: { origin: "https://evil.example" } };
  const socket = AdminClient.open(t, server, CREDENTIALS, options);
  await once(socket, "connect_error");
  const status = await fetch(`${server.url}/socket.io/?EIO=4&transport=polling`, {
    headers: { origin: "https://evil.example" },
  });
  assert.equal(status.status, 403);
});

test("a stop ends open pages", async (t) => {
  const own = await serverForThisTest(t, { settings: ADMIN_UI_SETTINGS });
  const page = await AdminClient.connect(t, own);
  const ended = once(page.socket, "disconnect");
  await own.stop();
  assert.equal((await ended)[0], "transport close");
});
