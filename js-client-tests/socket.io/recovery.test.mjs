// Connection state recovery: a client that loses its transport continues its connection.
// docs/protocol.md "Connection state recovery".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { connect, joinAsGuest, joinAsUser } from "../support/fixtures.mjs";
import { lose, record } from "../support/lost-client.mjs";
import { serverForThisFile } from "../support/server.mjs";
import {
  ALL_SOCKET_IO,
  MSGPACK_SOCKET_IO,
  socketIo,
  waitForUpgrade,
} from "../support/socket.io.mjs";
import { once } from "../support/timeouts.mjs";
import { epochSeconds, SECRET, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";

const SETTINGS = {
  "token.secret": SECRET,
  events: [
    { name: "move", to: "room", room_field: "game", kept: true },
    { name: "ring", to: "user", to_field: "user" },
  ],
};

const server = serverForThisFile({ settings: { ...SETTINGS, "limits.recovery_ms": 60_000 } });
const withoutRecovery = serverForThisFile({ settings: SETTINGS });

const TRANSPORTS = ["polling", "websocket", "upgrade"].map((it) => socketIo("4.8", it));

for (const clientType of [...TRANSPORTS, ...MSGPACK_SOCKET_IO]) {
  test(`what was missed comes in order before what is new, ${clientType.label}`, async (t) => {
    const game = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room: game });
    const bob = await joinAsUser(t, socketIo("4.8", "websocket"), server, "bob", { room: game });
    if (clientType.transport === "upgrade") await waitForUpgrade(ann);
    assert.equal(Boolean(ann.socket.recovered), false);
    const { id } = ann.socket;
    assertOk(await bob.ask("send message", "seen"));
    assert.equal((await ann.next("new message")).msg, "seen");
    const received = record(ann);

    await lose(ann);
    const bytes = Buffer.from([0, 1, 254, 255]);
    assertOk(await bob.ask("send message", { msg: ["missed", bytes] }));
    assertOk(await bob.askWith("move", [{ game, id: "m1" }, "e2e4"]));
    assertOk(await bob.ask("edit message", { room: game, seq: 1, msg: "edited" }));
    assertOk(await bob.ask("SingleChat", { to: ann.name, data: "direct" }));
    assertOk(await bob.askWith("ring", [{ user: ann.name }, "text"]));

    ann.socket.connect();
    await once(ann.socket, "connect");
    assert.equal(ann.socket.recovered, true);
    assert.equal(ann.socket.id, id);
    assertOk(await bob.ask("send message", "new"));
    await ann.next("new message", ({ msg }) => msg === "new");
    assert.deepEqual(
      received
        .map(([name]) => name)
        .filter((name) => !/^(get users|user (joined|left))$/.test(name)),
      ["new message", "move", "message edited", "SingleChat", "ring", "new message"],
    );
    const of = (wanted) => received.find(([name]) => name === wanted);
    assert.deepEqual([...of("new message")[1].msg[1]], [...bytes]);
    assert.deepEqual(of("move").slice(1, 3), [{ game, id: "m1" }, "e2e4"]);
    assert.deepEqual(of("ring").slice(1, 3), [{ user: ann.name }, "text"]);
    for (const event of received) assert.match(event.at(-1), /^\d+$/, "the offset is last");
    assertOk(await ann.ask("send message", "still a member"));
    await bob.next("new message", ({ msg }) => msg === "still a member");
  });

  test(`each loss is recovered, ${clientType.label}`, async (t) => {
    const room = unique("room");
    const ann = await joinAsUser(t, clientType, server, "ann", { room });
    const { id } = ann.socket;
    const bob = await joinAsGuest(t, socketIo("3.1", "websocket"), server, "bob", { room });
    for (const msg of ["one", "two", "three"]) {
      await lose(ann);
      assertOk(await bob.ask("send message", msg));
      ann.socket.connect();
      await once(ann.socket, "connect");
      assert.deepEqual([ann.socket.recovered, ann.socket.id], [true, id]);
      assert.equal((await ann.next("new message")).msg, msg);
    }
    assert.deepEqual(ann.take("new message"), []);
    assert.deepEqual(ann.take("welcome"), [], "the session is the same");
  });
}

test("a user proves the identity again, with a fresh token if need be", async (t) => {
  const sub = unique("ann");
  const token = async (claims) =>
    signToken(server, { sub, exp: epochSeconds(600), jti: unique("jti"), ...claims });
  const auth = { token: await token() };
  const extra = { auth: (send) => send(auth) };
  const ann = await connect(t, socketIo("4.8", "websocket"), server, { extra });
  await ann.next("welcome");
  const reconnect = async (change) => {
    await lose(ann);
    Object.assign(auth, change);
    ann.socket.connect();
    await once(ann.socket, "connect");
    return ann.socket.recovered;
  };
  assert.equal(await reconnect({ token: await token({ admin: true }) }), true);
  const notified = await ann.ask("notify", { to: sub, data: "x" });
  assertOk(notified, "the rights are those of the fresh token");
  assert.equal(await reconnect({ token: await token({ sub: unique("other") }) }), false);
});

test("clients with `since` recover with it, and get no `pid`", async (t) => {
  const room = unique("room");
  const bob = await joinAsGuest(t, socketIo("4.8", "websocket"), server, "bob", { room });
  const ann = await joinAsUser(t, socketIo("4.8", "websocket"), server, "ann", {
    room,
    since: { [room]: 0 },
  });
  const received = record(ann);
  assertOk(await bob.ask("send message", "hi"));
  await ann.next("new message");
  assert.equal(ann.socket._pid, undefined);
  for (const event of received) assert.equal(typeof event.at(-1), "object");
});

for (const clientType of ALL_SOCKET_IO) {
  test(`without the setting nothing changes, ${clientType.label}`, async (t) => {
    const ann = await joinAsGuest(t, clientType, withoutRecovery, "ann", { room: unique("room") });
    let args;
    ann.socket.on("new message", (...received) => {
      args = received;
    });
    assertOk(await ann.ask("send message", "hi"));
    await ann.next("new message");
    assert.equal(args.length, 1);
    if (clientType.version === "4.8") assert.equal(ann.socket._pid, undefined);
  });
}

for (const clientType of ALL_SOCKET_IO.filter(({ version }) => version !== "4.8")) {
  test(`older clients work with the setting, ${clientType.label}`, async (t) => {
    const ann = await joinAsGuest(t, clientType, server, "ann", { room: unique("room") });
    let args;
    ann.socket.on("new message", (...received) => {
      args = received;
    });
    assertOk(await ann.ask("send message", "hi"));
    await ann.next("new message");
    // As with the official server: those of Engine.IO 4 get the offset, which they do not know.
    assert.equal(args.length, clientType.legacy ? 1 : 2);
  });
}
