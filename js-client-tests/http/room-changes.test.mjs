// Rooms that are emptied or deleted through the HTTP API. docs/api.md.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { API_SETTINGS, askApi, changeByApi, MANAGE_KEY, PUBLISH_KEY } from "../support/api.mjs";
import { assertOk, assertRefused } from "../support/assert.mjs";
import { joinAsUser } from "../support/fixtures.mjs";
import { readQuestion } from "../support/pages.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { SECRET } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const settings = { ...API_SETTINGS, spaces: ["/list-*"], "token.secret": SECRET };
const server = serverForThisFile({ settings });

const polling = socketIo("4.8", "polling");

describe("rooms that are emptied or deleted", () => {
  for (const type of [wsJson, polling]) {
    test(`an emptied room keeps its members and its numbers: ${type.label}`, async (t) => {
      const [space, room] = [unique("/list"), "ma/in"];
      const path = `rooms/${encodeURIComponent(room)}`;
      const ann = await joinAsUser(t, type, server, "ann", { space, room });
      for (const msg of ["one", "two"]) assertOk(await ann.ask("send message", { room, msg }));
      const { status, body } = await changeByApi(server, "POST", `${path}/empty?space=${space}`);
      assert.deepEqual([status, body], [200, { ok: true }]);
      assert.deepEqual(await readQuestion(server, path, { space }), {
        room,
        members: 1,
        online: 1,
        seq: 2,
        messages: 0,
      });
      const { messages, more } = await ann.ask("history", { room });
      assert.deepEqual([messages, more], [[], false]);
      assertRefused(await ann.ask("edit message", { room, seq: 1, msg: "x" }), "no_such_message");
      assert.equal((await ann.ask("send message", { room, msg: "three" })).seq, 3);
    });

    test(`a deleted room has no members: ${type.label}`, async (t) => {
      const [space, room] = [unique("/list"), "ma/in"];
      const path = `rooms/${encodeURIComponent(room)}`;
      const ann = await joinAsUser(t, type, server, "ann", { space, room });
      assertOk(await ann.ask("send message", { room, msg: "one" }));
      const { status, body } = await changeByApi(server, "DELETE", `${path}?space=${space}`);
      assert.deepEqual([status, body], [200, { ok: true }]);
      assert.equal((await ann.next("membership")).role, null);
      assertRefused(await ann.ask("send message", { room, msg: "two" }), "not_member");
      const gone = await askApi(server, `${path}?space=${space}`);
      assert.deepEqual([gone.status, gone.body.code], [404, "no_such_room"]);
      const { seq } = await ann.ask("join", { room });
      assert.equal(seq, 1, "no number is used twice");
    });
  }

  test("a change that is refused changes nothing", async (t) => {
    const space = unique("/list");
    const ann = await joinAsUser(t, wsJson, server, "ann", { space });
    assertOk(await ann.ask("send message", { room: "lobby", msg: "one" }));
    const before = await readQuestion(server, "rooms/lobby", { space });
    for (const [method, path, key, status, code] of [
      ["POST", `rooms/lobby/empty?space=${space}`, PUBLISH_KEY, 403, "forbidden"],
      ["POST", `rooms/lobby/empty?space=${space}`, "x", 401, "unauthorized"],
      ["POST", `rooms/lobby/empty?space=${space}&seq=1`, MANAGE_KEY, 400, "bad_request"],
      ["POST", `rooms/%00/empty?space=${space}`, MANAGE_KEY, 400, "bad_request"],
      ["POST", `rooms/nowhere/empty?space=${space}`, MANAGE_KEY, 404, "no_such_room"],
      ["GET", `rooms/lobby/empty?space=${space}`, MANAGE_KEY, 405, "bad_request"],
      ["DELETE", `rooms/lobby?space=${space}`, PUBLISH_KEY, 403, "forbidden"],
      ["DELETE", `rooms/lobby?space=/nowhere`, MANAGE_KEY, 404, "unknown_space"],
      ["DELETE", `rooms/nowhere?space=${space}`, MANAGE_KEY, 404, "no_such_room"],
      ["DELETE", `rooms/%ff?space=${space}`, MANAGE_KEY, 400, "bad_request"],
      ["PUT", `rooms/lobby?space=${space}`, MANAGE_KEY, 405, "bad_request"],
    ]) {
      const answer = await changeByApi(server, method, path, undefined, key);
      assert.deepEqual([answer.status, answer.body.code], [status, code], `${method} ${path}`);
    }
    assert.deepEqual(await readQuestion(server, "rooms/lobby", { space }), before);
  });
});
