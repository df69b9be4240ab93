// Connecting, and refusals before the upgrade. docs/protocol.md "Plain WebSocket".

import assert from "node:assert/strict";
import { test } from "node:test";

import { barrier, connect, joinAsGuest } from "../support/fixtures.mjs";
import { fetchText } from "../support/raw-clients.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { epochSeconds, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const ALLOWED_ORIGIN = "https://app.example";

const server = serverForThisFile({ settings: { spaces: ["/shop"], origins: [ALLOWED_ORIGIN] } });

test("/ws accepts connections", async (t) => {
  const ann = await connect(t, wsJson, server);
  await ann.identify(unique("ann"));
  assert.equal(ann.welcome.rooms[0].room, "lobby");
});

test("/ws/{room} is the same as ?room=", async (t) => {
  const room = unique("room");
  const ann = await joinAsGuest(t, wsJson, server, "ann", { path: `/ws/${room}` });
  const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
  assert.deepEqual(
    ann.welcome.rooms.map((it) => it.room),
    [room],
  );
  assert.equal((await barrier(ann, undefined, bob)).room, room);
});

test("a last slash in the path changes nothing", async (t) => {
  const room = unique("room");
  const ann = await joinAsGuest(t, wsJson, server, "ann", { path: `/ws/${room}/` });
  assert.equal(ann.welcome.rooms[0].room, room);
  const bob = await joinAsGuest(t, wsJson, server, "bob", { path: "/ws/" });
  assert.equal(bob.welcome.rooms[0].room, "lobby");
});

test("a room in the path may be percent-encoded", async (t) => {
  const room = unique("a/b:c#ü+d");
  const ann = await joinAsGuest(t, wsJson, server, "ann", {
    path: `/ws/${encodeURIComponent(room)}`,
  });
  assert.equal(ann.welcome.rooms[0].room, room);
});

test("an invalid room in the path is refused", async () => {
  const { status, body } = await wsJson.refusalAnswer(server, { path: "/ws/two%0Alines" });
  assert.deepEqual([status, body.code], [422, "room_invalid"]);
});

for (const path of ["/", "/nowhere", "/wss", "/ws2", "/room1", "/ws/a/../../x"]) {
  test(`an upgrade of ${path} is refused`, async () => {
    const { status } = await wsJson.refusalAnswer(server, { path });
    assert.equal(status, path === "/" ? status : 404);
    assert.ok(400 <= status || path === "/", `${status}`);
  });
}

/** Refusals: an HTTP answer with the code's status and a JSON body. */
const REFUSALS = {
  unauthorized: [401, async () => ({ token: "nonsense" })],
  token_expired: [
    401,
    async () => ({ token: await signToken(server, { sub: "ann", exp: epochSeconds(-600) }) }),
  ],
  unknown_space: [404, async () => ({ space: "/nowhere" })],
  space_forbidden: [
    403,
    async () => {
      const claims = { sub: "ann", exp: epochSeconds(600), spaces: ["/shop"] };
      return { token: await signToken(server, claims) };
    },
  ],
  origin_forbidden: [403, async () => ({ extra: { headers: { origin: "https://evil.example" } } })],
  room_invalid: [422, async () => ({ room: "two\nlines" })],
  bad_request: [400, async () => ({ since: { lobby: "soon" } })],
};

for (const [code, [status, options]] of Object.entries(REFUSALS)) {
  test(`${code} is answered before the upgrade`, async () => {
    const answer = await wsJson.refusalAnswer(server, await options());
    assert.equal(answer.status, status);
    assert.match(answer.headers["content-type"], /^application\/json/);
    assert.equal(answer.body.code, code);
    assert.equal(typeof answer.body.message, "string");
    assert.deepEqual(Object.keys(answer.body).sort(), ["code", "message"]);
  });
}

test("pages of allowed origins, and the server's own, are accepted", async (t) => {
  for (const origin of [ALLOWED_ORIGIN, server.url]) {
    await connect(t, wsJson, server, { extra: { headers: { origin } } });
  }
});

test("similar origins are refused", async () => {
  const similar = [
    "null",
    "http://app.example",
    `${ALLOWED_ORIGIN}:8443`,
    `${ALLOWED_ORIGIN}.evil.example`,
  ];
  for (const origin of similar) {
    const extra = { headers: { origin } };
    assert.equal(await wsJson.refusal(server, { extra }), "origin_forbidden", origin);
  }
});

test("/ws without an upgrade is a client error", async () => {
  const { status } = await fetchText(`${server.url}/ws`);
  assert.ok(400 <= status && status < 500, `answered ${status}`);
});

test("unknown paths are not found", async () => {
  for (const path of ["/nowhere", "/ws2", "/index.php"]) {
    assert.equal((await fetchText(server.url + path)).status, 404, path);
  }
});
