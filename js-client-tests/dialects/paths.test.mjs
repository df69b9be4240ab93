// The choice of a dialect, and paths of the settings. docs/dialects.md; the clients R6 and R7.

import assert from "node:assert/strict";
import { test } from "node:test";

import { runRoomcast } from "../support/command.mjs";
import { connectDialect } from "../support/dialect.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({
  settings: {
    paths: [
      { path: "/room1", dialect: "json", room: "room1" },
      { path: "/room2", dialect: "json", room: "room2" },
      { path: "/channel", dialect: "json", room: "{query.id}" },
      { path: "/rooms/{room}/live" },
    ],
  },
});

async function open(t, path, query) {
  const client = await connectDialect(t, server, { path, query });
  assert.equal(await client.answer({ event: "ready?" }), "unkonwn command"); // it is in the room
  return client;
}

test("R6: each path is a room of its own, and other paths are refused", async (t) => {
  const [ann, bob] = [await open(t, "/room1"), await open(t, "/room1/")];
  const other = await open(t, "/room2");
  ann.send({ event: "helloworld", message: "1" });
  assert.deepEqual(await bob.nextJson(), { event: "helloworld", message: "helloworld 1" });
  other.send({ event: "helloworld", message: "2" });
  assert.deepEqual(await other.nextJson(), { event: "helloworld", message: "helloworld 2" });
  for (const path of ["/room3", "/room1/x", "/rooms/live", "/rooms/a/b/live"]) {
    const { status, body } = await wsJson.refusalAnswer(server, { path });
    assert.deepEqual([status, body.code], [404, "not_found"], path);
  }
});

test("R7: a parameter names the room", async (t) => {
  const id = unique("7");
  const [ann, bob] = [await open(t, "/channel", { id }), await open(t, "/channel", { id })];
  const native = await joinAsGuest(t, wsJson, server, "eve", { room: id });
  ann.send({ event: "helloworld", message: "hi" });
  assert.deepEqual(await bob.nextJson(), { event: "helloworld", message: "helloworld hi" });
  assert.equal((await native.next("new message")).room, id);
});

test("a path without a dialect speaks the protocol of /ws", async (t) => {
  const room = unique("a b");
  const path = `/rooms/${encodeURIComponent(room)}/live`;
  const ann = await joinAsGuest(t, wsJson, server, "ann", { path });
  assert.equal(ann.welcome.rooms[0].room, room);
});

/** Handshakes that are refused with 400 `bad_request`. */
const REFUSED = {
  "an unknown dialect": { query: { dialect: "nothing" } },
  "a subprotocol of another dialect": { query: { dialect: "hello" }, protocols: ["json"] },
  "another dialect than that of the path": { path: "/room1", query: { dialect: "hello" } },
  "another subprotocol than that of the path": { path: "/room1", protocols: ["roomcast.json"] },
  "another room than that of the path": { path: "/room1", query: { room: "x" } },
  "no room in the query": { path: "/channel" },
  "an unknown value of a parameter": { query: { dialect: "hello", binary: "yes" } },
};

for (const [what, options] of Object.entries(REFUSED)) {
  test(`${what} is refused before the upgrade`, async () => {
    const { status, body } = await wsJson.refusalAnswer(server, options);
    assert.deepEqual([status, body.code], [400, "bad_request"]);
  });
}

test("an invalid room or token is refused before the upgrade", async () => {
  for (const [options, ...expected] of [
    [{ path: "/channel", query: { id: "two\nlines" } }, 422, "room_invalid"],
    [{ path: "/room1", token: "nonsense" }, 401, "unauthorized"],
  ]) {
    const { status, body } = await wsJson.refusalAnswer(server, options);
    assert.deepEqual([status, body.code], expected);
  }
});

test("a request without an upgrade is answered with 426", async () => {
  const response = await fetch(`${server.url}/room1`);
  assert.equal(response.status, 426);
  assert.equal(response.headers.get("sec-websocket-version"), "13");
});

test("check-config refuses paths that cannot work", async () => {
  const check = (paths) => runRoomcast("check-config", "--set", `paths=${paths}`);
  for (const [paths, why] of [
    ['[{path="/ws/x"}]', "is one of Roomcast"],
    ['[{path="/x",dialect="talkative"}]', "`dialect` is not one of"],
    ['[{path="/x",room="{room}"}]', "has no {room}"],
  ]) {
    const { code, stderr } = await check(paths);
    assert.equal(code, 2, stderr);
    assert.ok(stderr.includes(why), stderr);
  }
});
