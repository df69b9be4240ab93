// Connection state recovery across nodes: a client that loses its transport continues its
// connection on another node. docs/protocol.md "Connection state recovery".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { clusterForThisFile, clusterForThisTest } from "../support/cluster.mjs";
import { connect, joinAsGuest, joinAsUser } from "../support/fixtures.mjs";
import { lose, record } from "../support/lost-client.mjs";
import { Random } from "../support/random.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { once } from "../support/timeouts.mjs";
import { epochSeconds, SECRET, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";

const settings = {
  "limits.recovery_ms": 60_000,
  events: [
    { name: "move", to: "room", room_field: "game", kept: true },
    { name: "shake", to: "room", room_field: "game" },
    { name: "ring", to: "user", to_field: "user" },
  ],
};

const cluster = clusterForThisFile({ nodes: 2, settings });
const server = (n) => ({ secret: SECRET, url: cluster.nodes[n].url, data: cluster.nodes[n].data });

const WEBSOCKET = socketIo("4.8", "websocket");
const TRANSPORTS = ["polling", "websocket"].map((it) => socketIo("4.8", it));

for (const clientType of TRANSPORTS) {
  test(`what was missed comes in order before what is new, ${clientType.label}`, async (t) => {
    const game = unique("room");
    const bob = await joinAsUser(t, WEBSOCKET, server(1), "bob", { room: game });
    const ann = await joinAsGuest(t, clientType, server(0), "ann", { room: game });
    await bob.next("user joined", ({ user }) => user === ann.name);
    const { id } = ann.socket;
    assertOk(await bob.ask("send message", "seen"));
    assert.equal((await ann.next("new message")).msg, "seen");
    const received = record(ann);

    await lose(ann);
    const bytes = Buffer.from([0, 1, 254, 255]);
    assertOk(await bob.ask("send message", { msg: ["missed", bytes] }));
    assertOk(await bob.askWith("move", [{ game, id: "m1" }, "e2e4", bytes]));
    assertOk(await bob.ask("edit message", { room: game, seq: 1, msg: "edited" }));
    assertOk(await bob.ask("SingleChat", { to: ann.name, data: "direct" }));
    assertOk(await bob.askWith("ring", [{ user: ann.name }, "text"]));

    assert.deepEqual(await returnTo(ann, 1), [true, id]);
    assertOk(await bob.ask("send message", "new"));
    await ann.next("new message", ({ msg }) => msg === "new");
    assert.deepEqual(
      received.filter(([name]) => !STATES.test(name)).map(([name]) => name),
      ["new message", "move", "message edited", "SingleChat", "ring", "new message"],
    );
    const of = (wanted) => received.find(([name]) => name === wanted);
    assert.deepEqual([...of("new message")[1].msg[1]], [...bytes]);
    assert.deepEqual(of("move").slice(1, 3), [{ game, id: "m1" }, "e2e4"]);
    assert.deepEqual([...of("move")[3]], [...bytes]);
    assert.deepEqual(of("ring").slice(1, 3), [{ user: ann.name }, "text"]);
    for (const event of received) assert.match(event.at(-1), /^\d+$/, "the offset is last");

    assertOk(await ann.ask("send message", "still a member"));
    await bob.next("new message", ({ msg }) => msg === "still a member");
    assert.deepEqual([...bob.take("user joined"), ...bob.take("user left")], [], "nobody moved");
    assert.deepEqual(ann.take("welcome"), [], "the session is the same");
  });
}

test("a client that moves receives what one that stays receives", async (t) => {
  const random = new Random(16);
  const game = unique("room");
  const sub = unique("ann");
  const device = { claims: { sub }, room: game };
  const stays = await joinAsUser(t, WEBSOCKET, server(1), "ann", device);
  const moves = await joinAsUser(t, TRANSPORTS[0], server(0), "ann", device);
  const logs = [record(stays), record(moves)];
  const senders = await Promise.all(
    [0, 1].map((n) => joinAsUser(t, WEBSOCKET, server(n), "bob", { room: game })),
  );
  let isOver = false;
  t.after(() => {
    isOver = true;
  });
  const send = async (sender) => {
    let count = 0;
    const own = { from: sender.name, game, user: sub };
    const kinds = [
      () => sender.ask("send message", { room: game, msg: [sender.name, count, Buffer.of(count)] }),
      () => sender.ask("SingleChat", { to: sub, data: `${sender.name} ${count}` }),
      () => sender.askWith("move", [own, count, Buffer.of(count)]),
      () => sender.askWith("shake", [own, 0]),
      () => sender.askWith("ring", [own, count]),
    ];
    for (; !isOver; count = (count + 1) % 256) assertOk(await random.pick(kinds)());
  };
  const sending = senders.map(send);
  const { id } = moves.socket;
  for (let turn = 1; turn <= 8; turn += 1) {
    await moves.next("new message");
    await lose(moves);
    for (let n = random.below(3); n > 0; n -= 1) await stays.next("new message");
    assert.deepEqual(await returnTo(moves, turn % 2), [true, id], `turn ${turn}`);
  }
  isOver = true;
  await Promise.all(sending);
  for (const sender of senders) {
    assertOk(await sender.askWith("ring", [{ user: sub, from: sender.name, game }, "end"]));
    assertOk(await sender.askWith("shake", [{ user: sub, from: sender.name, game }, "end"]));
    assertOk(await sender.ask("SingleChat", { to: sub, data: `${sender.name} end` }));
    assertOk(await sender.ask("send message", { room: game, msg: [sender.name, "end"] }));
  }
  const ends = (log) => log.filter((event) => /\bend"/.test(JSON.stringify(event))).length;
  await waitUntil("all events", () => logs.every((log) => ends(log) >= 4 * senders.length));
  for (const of of [roomLog, directLog, ...senders.map(({ name }) => passingOf(name))]) {
    assert.deepEqual(of(logs[1]), of(logs[0]));
    assert.ok(of(logs[0]).length > 1, "it has events");
  }
});

test("a session is continued once, by its user", async (t) => {
  const sub = unique("ann");
  const token = (user) => signToken(server(0), { sub: user, exp: epochSeconds(600) });
  const auth = { token: await token(sub) };
  const ann = await connect(t, WEBSOCKET, server(0), { extra: { auth: (send) => send(auth) } });
  await ann.next("welcome");
  await ann.ask("GroupList", {});
  const { _pid: pid, _lastOffset: offset } = ann.socket;
  await lose(ann);
  const open = async (n, user) => {
    const extra = { auth: { pid, offset, token: await token(user) } };
    const client = await connect(t, WEBSOCKET, server(n), { extra });
    return client.socket._pid === pid;
  };
  assert.equal(await open(1, unique("eve")), false, "another user");
  const both = await Promise.all([open(0, sub), open(1, sub)]);
  assert.equal(both.filter(Boolean).length, 1, `${both}`);
  assert.deepEqual([await open(0, sub), await open(1, sub)], [false, false]);
});

test("clients of a node that drains continue on another one", async (t) => {
  const own = await clusterForThisTest(t, { nodes: 2, settings });
  const on = (n) => ({ secret: SECRET, url: own.nodes[n].url });
  const room = unique("room");
  const bob = await joinAsUser(t, WEBSOCKET, on(1), "bob", { room });
  const clients = await Promise.all(
    TRANSPORTS.map((it) => joinAsUser(t, it, on(0), "ann", { room })),
  );
  const ids = clients.map(({ socket }) => socket.id);
  const lost = clients.map(({ socket }) => once(socket, "disconnect"));
  const exited = own.nodes[0].exitOn("SIGTERM");
  await Promise.all(lost);
  assertOk(await bob.ask("send message", { room, msg: "missed" }));
  for (const [at, ann] of clients.entries()) {
    ann.socket.io.uri = own.nodes[1].url;
    ann.socket.connect();
    await once(ann.socket, "connect");
    assert.deepEqual([ann.socket.recovered, ann.socket.id], [true, ids[at]]);
    assert.equal((await ann.next("new message")).msg, "missed");
  }
  assert.equal((await exited).code, 0);
  assert.deepEqual(bob.take("user left"), []);
});

test("without the node that had the session, the client begins anew", async (t) => {
  const own = await clusterForThisTest(t, { nodes: 2, settings });
  const on = (n) => ({ secret: SECRET, url: own.nodes[n].url });
  const room = unique("room");
  const ann = await joinAsUser(t, WEBSOCKET, on(0), "ann", { room });
  const { id } = ann.socket;
  const lost = once(ann.socket, "disconnect");
  await own.nodes[0].kill9();
  await lost;
  ann.take("welcome");
  ann.socket.io.uri = own.nodes[1].url;
  ann.socket.connect();
  await once(ann.socket, "connect");
  assert.equal(ann.socket.recovered, false);
  assert.notEqual(ann.socket.id, id);
  await ann.next("welcome");
  assertOk(await ann.ask("send message", { room, msg: "back" }));
  await own.nodes[0].start();
  await own.waitUntilReady();
});

/** Events about who is online, which are states. */
const STATES = /^(get users|user (joined|left))$/;

/** Comes back on a node. Whether the connection was recovered, and its id. */
async function returnTo(client, n) {
  client.socket.io.uri = cluster.nodes[n].url;
  client.socket.connect();
  await once(client.socket, "connect");
  return [client.socket.recovered, client.socket.id];
}

/** The log of the room: messages and kept events. */
function roomLog(received) {
  return received
    .filter(([name]) => name === "new message" || name === "move")
    .map(([name, ...args]) => JSON.stringify([name, ...args.slice(0, -1)]));
}

/** Direct messages. Those of two senders are in two logs. */
function directLog(received) {
  const texts = received.filter(([name]) => name === "SingleChat").map(([, { data }]) => data);
  return texts.sort((a, b) => a.split(" ")[0].localeCompare(b.split(" ")[0]));
}

/** The events of a sender that pass by. Those to the room and to the user may overtake each other. */
function passingOf(sender) {
  return (received) =>
    received
      .filter(([name, to]) => (name === "ring" || name === "shake") && to.from === sender)
      .map(([name, , what]) => [name, what])
      .sort(([a], [b]) => a.localeCompare(b));
}
