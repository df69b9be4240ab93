// The lists of the HTTP API: users, connections, rooms and members. docs/api.md.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  API_SETTINGS,
  askApi,
  callApi,
  changeByApi,
  MANAGE_KEY,
  PUBLISH_KEY,
} from "../support/api.mjs";
import { assertOk } from "../support/assert.mjs";
import { connect, connectAnonymously, joinAsGuest, joinAsUser } from "../support/fixtures.mjs";
import { readPages, readQuestion } from "../support/pages.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo, waitForUpgrade } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

const settings = {
  ...API_SETTINGS,
  spaces: ["/shop", "/list-*"],
  "token.secret": SECRET,
  "limits.presence_grace_ms": 0,
};
const server = serverForThisFile({ settings });

const polling = socketIo("4.8", "polling");

describe("users", () => {
  test("a user is listed once, with the number of devices and their ids", async (t) => {
    const space = unique("/list");
    await joinAsUser(t, wsJson, server, "ann", { space, device: "desk" });
    const bob = await joinAsGuest(t, polling, server, "bob", { space });
    await connectAnonymously(t, wsJson, server, { space });
    const { users, total, next } = await readQuestion(server, "users", { space });
    assert.deepEqual(
      users.map(({ user, ...it }) => [user.slice(0, 3), it]),
      [
        ["ann", { devices: 1, deviceIds: ["desk"] }],
        ["bob", { devices: 1, deviceIds: [] }],
      ],
      "an anonymous connection is no user",
    );
    assert.deepEqual([total, next], [2, undefined]);
    bob.close();
    const isGone = async () => (await readQuestion(server, "users", { space })).total === 1;
    await waitUntil("a user who left is not listed", isGone);
    assert.equal((await readQuestion(server, "users", { space: "/shop" })).total, 0);
  });

  test("devices of one user are counted together", async (t) => {
    const space = unique("/list");
    const ann = await joinAsGuest(t, wsJson, server, "ann", { space, device: "phone" });
    for (const device of ["phone", "desk", undefined]) {
      const more = await connect(t, wsJson, server, { space, token: ann.token, device });
      await more.waitForWelcome();
    }
    const { users } = await readQuestion(server, "users", { space });
    assert.deepEqual(users, [{ user: ann.name, devices: 3, deviceIds: ["desk", "phone"] }]);
  });

  test("pages have every user exactly once, in order", async (t) => {
    const space = unique("/list");
    const names = [];
    for (const base of ["Zoe", "ann", "bob", "dän", "eve", "fay", "gus"]) {
      names.push((await joinAsGuest(t, wsJson, server, base, { space })).name);
    }
    for (const limit of [1, 3, 7, 1000]) {
      const { items, pages } = await readPages(server, "users", { space, limit });
      assert.deepEqual(
        items.map(({ user }) => user),
        names,
      );
      assert.equal(pages.length, Math.ceil(names.length / limit));
      assert.ok(pages.every(({ total }) => total === names.length));
    }
    const { users } = await readQuestion(server, "users", { space, after: "dan" });
    assert.equal(users[0].user, names[3], "a cursor need not be a user");
  });
});

describe("connections", () => {
  test("a connection has its transport, user, address and beginning", async (t) => {
    const space = unique("/list");
    const begun = Date.now();
    const ann = await joinAsUser(t, wsJson, server, "ann", { space });
    const bob = await joinAsUser(t, polling, server, "bob", { space });
    const eve = await joinAsUser(t, socketIo("4.8", "websocket"), server, "eve", { space });
    await connectAnonymously(t, socketIo("2.5", "websocket"), server, { space });
    const { connections, total } = await readQuestion(server, "connections", { space });
    assert.deepEqual(
      connections.map(({ user, transport }) => [user, transport]),
      [
        [ann.name, "ws"],
        [bob.name, "polling"],
        [eve.name, "websocket"],
        [undefined, "websocket"],
      ],
    );
    assert.equal(total, 4);
    for (const { connection, address, since, node } of connections) {
      assert.equal(address, "127.0.0.1");
      assert.ok(connection.startsWith(`${node}.c`), connection);
      assert.ok(Date.parse(since) >= begun - 1 && Date.parse(since) <= Date.now());
    }
    const question = { space, user: bob.name };
    const of = await readQuestion(server, "connections", question);
    assert.deepEqual(of, { connections: [connections[1]], complete: true, total: 1 });
    bob.close();
    const isGone = async () => (await readQuestion(server, "connections", question)).total === 0;
    await waitUntil("a connection that ended is not listed", isGone);
  });

  test("a client that upgrades is on a WebSocket", async (t) => {
    const space = unique("/list");
    const type = socketIo("4.8", "upgrade");
    const ann = await joinAsUser(t, type, server, "ann", { space });
    await waitForUpgrade(ann);
    const { connections } = await readQuestion(server, "connections", { space });
    assert.deepEqual(
      connections.map(({ user, transport }) => [user, transport]),
      [[ann.name, "websocket"]],
    );
  });

  test("pages have every connection exactly once", async (t) => {
    const space = unique("/list");
    const users = [];
    for (let n = 0; n < 5; n += 1) {
      const { name, token } = await joinAsGuest(t, wsJson, server, `u${n}`, { space });
      await (await connect(t, wsJson, server, { space, token })).waitForWelcome();
      users.push(name, name);
    }
    for (const limit of [1, 4, 10]) {
      const { items } = await readPages(server, "connections", { space, limit });
      assert.deepEqual(
        items.map(({ user }) => user),
        users,
      );
      assert.equal(new Set(items.map(({ connection }) => connection)).size, users.length);
    }
    for (const [after, count] of [
      ["!.cff", users.length],
      ["~.c1", 0],
    ]) {
      const page = await readQuestion(server, "connections", { space, after });
      assert.equal(page.connections.length, count, "after a node that has gone");
      assert.deepEqual([page.total, page.complete], [users.length, true]);
    }
    const one = { space, user: users[0], limit: 1 };
    assert.equal((await readPages(server, "connections", one)).items.length, 2);
  });
});

describe("rooms", () => {
  test("a room has its members, who is online, and its last entry", async (t) => {
    const [space, room] = [unique("/list"), "a/b ü%2F"];
    const path = `rooms/${encodeURIComponent(room)}`;
    const { status, body } = await askApi(server, `${path}?${new URLSearchParams({ space })}`);
    assert.deepEqual([status, body.code], [404, "no_such_room"]);
    const ann = await joinAsUser(t, wsJson, server, "ann", { space, room });
    const bob = await joinAsUser(t, wsJson, server, "bob", { space, room });
    const empty = { room, members: 2, online: 2, seq: 0, messages: 0 };
    assert.deepEqual(await readQuestion(server, path, { space }), empty);
    for (const msg of ["one", "two", "three"])
      assertOk(await ann.ask("send message", { room, msg }));
    assertOk(await ann.ask("delete message", { room, seq: 2 }));
    bob.close();
    await waitUntil("a member is offline", async () => {
      const { online } = await readQuestion(server, path, { space });
      return online === 1;
    });
    const { at, ...rest } = await readQuestion(server, path, { space });
    assert.deepEqual(rest, { room, members: 2, online: 1, seq: 4, messages: 2 });
    assert.ok(Math.abs(Date.now() - Date.parse(at)) < 60_000, at);
  });

  test("pages have every room exactly once, in order", async (t) => {
    const space = unique("/list");
    const ann = await joinAsUser(t, wsJson, server, "ann", { space });
    const names = ["Z", "a", "b", "left", "ü"];
    for (const room of names) assertOk(await ann.ask("join", { room }));
    assertOk(await ann.ask("leave", { room: "left" }));
    const items = [{ room: "stored", msg: "x", user: "shop" }];
    assert.equal((await callApi(server, "messages", { space, items })).status, 200);
    const expected = ["Z", "a", "b", "lobby", "stored", "ü"];
    for (const limit of [1, 4, 6, 100]) {
      const { items, pages } = await readPages(server, "rooms", { space, limit });
      assert.deepEqual(
        items.map(({ room, members, online, seq }) => [room, members, online, seq]),
        expected.map((room) => (room === "stored" ? [room, 0, 0, 1] : [room, 1, 1, 0])),
      );
      assert.equal(pages.length, Math.ceil(expected.length / limit));
    }
  });
});

describe("members", () => {
  test("a member is added, changed and removed, and told so", async (t) => {
    const [space, room] = [unique("/list"), "ma/in"];
    const ann = await joinAsUser(t, wsJson, server, "ann", { space });
    const bob = await joinAsUser(t, polling, server, "bob", { space });
    const member = (name) =>
      `rooms/${encodeURIComponent(room)}/members/${encodeURIComponent(name)}?space=${space}`;
    for (const [body, role] of [
      [undefined, "member"],
      [{ role: "reader" }, "reader"],
      [{}, "member"],
      [{ role: "owner" }, "owner"],
    ]) {
      const { status, body: answer } = await changeByApi(server, "PUT", member(ann.name), body);
      assert.deepEqual([status, answer], [200, { ok: true }]);
      assert.equal((await ann.next("membership")).role, role);
    }
    assert.equal((await changeByApi(server, "PUT", member(bob.name))).status, 200);
    await bob.next("membership");
    bob.close();
    const path = `rooms/${encodeURIComponent(room)}/members`;
    await waitUntil("a member is offline", async () => {
      const { members } = await readQuestion(server, path, { space });
      return !members[1].online;
    });
    const list = await readQuestion(server, path, { space });
    for (const member of list.members) {
      assert.ok(Math.abs(Date.now() - Date.parse(member.joined)) < 60_000, member.joined);
      delete member.joined;
    }
    assert.deepEqual(list, {
      members: [
        { user: ann.name, role: "owner", online: true, devices: 1 },
        { user: bob.name, role: "member", online: false, devices: 0 },
      ],
      total: 2,
    });
    const removed = await changeByApi(server, "DELETE", member(ann.name));
    assert.deepEqual([removed.status, removed.body], [200, { ok: true }]);
    const again = await changeByApi(server, "DELETE", member(ann.name));
    assert.deepEqual([again.status, again.body.code], [404, "no_such_user"]);
    assert.equal((await ann.next("membership")).role, null);
    const { members } = await readQuestion(server, path, { space });
    assert.deepEqual(
      members.map(({ user }) => user),
      [bob.name],
    );
  });

  test("pages have every member exactly once, in order", async (t) => {
    const space = unique("/list");
    const names = [];
    for (const base of ["Zoe", "ann", "bob", "dän", "eve"]) {
      names.push((await joinAsUser(t, wsJson, server, base, { space })).name);
    }
    for (const limit of [1, 2, 5, 1000]) {
      const { items, pages } = await readPages(server, "rooms/lobby/members", { space, limit });
      assert.deepEqual(
        items.map(({ user }) => user),
        names,
      );
      assert.ok(pages.every(({ total }) => total === names.length));
    }
  });

  test("a change that is refused changes nothing", async (t) => {
    const space = unique("/list");
    const { name } = await joinAsUser(t, wsJson, server, "ann", { space });
    const path = `rooms/lobby/members/${name}?space=${space}`;
    const before = await readQuestion(server, "rooms/lobby/members", { space });
    for (const [method, to, body, key, status, code] of [
      ["PUT", path, {}, PUBLISH_KEY, 403, "forbidden"],
      ["DELETE", path, undefined, PUBLISH_KEY, 403, "forbidden"],
      ["DELETE", path, undefined, "x", 401, "unauthorized"],
      ["PUT", path, { role: "king" }, MANAGE_KEY, 400, "bad_request"],
      ["PUT", path, [], MANAGE_KEY, 400, "bad_request"],
      ["PUT", path, "{}".padEnd(2000), MANAGE_KEY, 413, "message_too_large"],
      ["PUT", `${path}&user=x`, {}, MANAGE_KEY, 400, "bad_request"],
      ["PUT", `rooms/lobby/members/%ff?space=${space}`, {}, MANAGE_KEY, 400, "bad_request"],
      ["PUT", `rooms/%00/members/${name}?space=${space}`, {}, MANAGE_KEY, 400, "bad_request"],
      ["PUT", `rooms/lobby/members/${unique("eve")}`, {}, MANAGE_KEY, 404, "no_such_user"],
      [
        "DELETE",
        `rooms/lobby/members/${unique("eve")}`,
        undefined,
        MANAGE_KEY,
        404,
        "no_such_user",
      ],
      [
        "DELETE",
        `rooms/lobby/members/${name}?space=/no`,
        undefined,
        MANAGE_KEY,
        404,
        "unknown_space",
      ],
      ["POST", path, {}, MANAGE_KEY, 405, "bad_request"],
    ]) {
      const answer = await changeByApi(server, method, to, body, key);
      assert.deepEqual([answer.status, answer.body.code], [status, code], `${method} ${to}`);
    }
    assert.deepEqual(await readQuestion(server, "rooms/lobby/members", { space }), before);
  });
});

test("a list needs the scope, and parameters that it knows", async () => {
  for (const [question, key, status, code] of [
    ["users", PUBLISH_KEY, 403, "forbidden"],
    ["users", "x", 401, "unauthorized"],
    ["users?space=/nowhere", MANAGE_KEY, 404, "unknown_space"],
    ["users?limit=0", MANAGE_KEY, 400, "bad_request"],
    ["users?limit=1001", MANAGE_KEY, 400, "bad_request"],
    ["users?after=%00", MANAGE_KEY, 400, "bad_request"],
    ["users?user=ann", MANAGE_KEY, 400, "bad_request"],
    ["users?after=x%zz", MANAGE_KEY, 400, "bad_request"],
    ["rooms/x%zz", MANAGE_KEY, 400, "bad_request"],
    ["rooms/x%2/members", MANAGE_KEY, 400, "bad_request"],
    ["connections", PUBLISH_KEY, 403, "forbidden"],
    ["connections?space=/nowhere", MANAGE_KEY, 404, "unknown_space"],
    ["connections?user=%00", MANAGE_KEY, 400, "bad_request"],
    ["connections?after=c1", MANAGE_KEY, 400, "bad_request"],
    ["connections?limit=many", MANAGE_KEY, 400, "bad_request"],
    ["rooms", PUBLISH_KEY, 403, "forbidden"],
    ["rooms?limit=101", MANAGE_KEY, 400, "bad_request"],
    ["rooms?after=", MANAGE_KEY, 400, "bad_request"],
    ["rooms/lobby", PUBLISH_KEY, 403, "forbidden"],
    ["rooms/%ff", MANAGE_KEY, 400, "bad_request"],
    ["rooms/%00", MANAGE_KEY, 400, "bad_request"],
    ["rooms/nowhere", MANAGE_KEY, 404, "no_such_room"],
    ["rooms/nowhere/members", MANAGE_KEY, 404, "no_such_room"],
    ["rooms/lobby/members", PUBLISH_KEY, 403, "forbidden"],
    ["rooms/lobby/members?space=/nowhere", MANAGE_KEY, 404, "unknown_space"],
    ["rooms/lobby/members?after=%00", MANAGE_KEY, 400, "bad_request"],
    ["rooms/lobby/members?limit=0", MANAGE_KEY, 400, "bad_request"],
    ["rooms/lobby/members?query=", MANAGE_KEY, 400, "bad_request"],
    [`rooms?query=${"x".repeat(65)}`, MANAGE_KEY, 400, "bad_request"],
  ]) {
    const answer = await askApi(server, question, key);
    assert.deepEqual([answer.status, answer.body.code], [status, code], question);
    if (code === "forbidden") assert.match(answer.body.message, /"read"/, "names the scope");
  }
});
