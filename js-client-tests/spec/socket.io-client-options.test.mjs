// The options of the official client that applications set: each works as with the official server.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { ClientProxy } from "../support/client-proxy.mjs";
import { barrier, connect, connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { dispatchPageEvent } from "../support/page-events.mjs"; // before the client
import { serverForThisFile } from "../support/server.mjs";
import { ALL_SOCKET_IO, socketIo, waitForUpgrade } from "../support/socket.io.mjs";
import { once } from "../support/timeouts.mjs";
import { epochSeconds, SECRET, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";

const ORIGIN = "https://app.example";

const server = serverForThisFile({
  settings: {
    origins: [ORIGIN],
    "token.secret": SECRET,
    "limits.presence_grace_ms": 100,
  },
});

const BYTES = Buffer.from([0, 1, 254, 255]);

const TRANSPORTS = ["polling", "websocket", "upgrade"].map((it) => socketIo("4.8", it));

for (const clientType of ALL_SOCKET_IO) {
  test(`forceBase64: bytes arrive in both directions, ${clientType.label}`, async (t) => {
    const room = unique("room");
    const extra = { forceBase64: true };
    const ann = await joinAsGuest(t, clientType, server, "ann", { room, extra });
    if (clientType.transport === "upgrade") await waitForUpgrade(ann);
    const bob = await joinAsGuest(t, socketIo("4.8", "websocket"), server, "bob", { room });
    for (const [sender, receiver] of [
      [ann, bob],
      [bob, ann],
    ]) {
      assertOk(await sender.ask("send message", { room, msg: [BYTES, { deep: BYTES }] }));
      const fromSender = ({ username }) => username === sender.name;
      const { msg } = await receiver.next("new message", fromSender);
      assert.deepEqual([msg[0], msg[1].deep].map(Buffer.from), [BYTES, BYTES]);
    }
  });
}

for (const clientType of TRANSPORTS) {
  test(`retries and ackTimeout: one message of several attempts, ${clientType.label}`, async (t) => {
    const room = unique("room");
    const extra = { retries: 3, ackTimeout: 300 };
    const token = await userToken();
    const ann = await connectWithToken(t, clientType, server, token, { room, extra });
    const lost = [];
    ann.socket.onack = (packet) => {
      lost.push(packet.data);
      delete ann.socket.onack;
    };
    const id = unique("id");
    const [error, answer] = await ann.requestRaw("send message", { room, msg: "x", id });
    assert.equal(error, null);
    const { duplicate, ...stored } = assertOk(answer);
    assert.equal(duplicate, true);
    assert.deepEqual(lost, [[stored]], "the first attempt has the same answer");
    const [none, { seq }] = await ann.requestRaw("send message", { room, msg: "y", id: `${id}-2` });
    assert.deepEqual([none, seq], [null, answer.seq + 1], "it is stored once");
  });

  test(`addTrailingSlash: false, ${clientType.label}`, async (t) => {
    const ann = await joinAsGuest(t, clientType, server, "ann", {
      extra: { addTrailingSlash: false },
    });
    if (clientType.transport === "upgrade") await waitForUpgrade(ann);
    assert.equal(ann.engine.opts.path, "/socket.io");
    await barrier(ann, undefined, ann);
  });

  test(`path: another one is answered 404, ${clientType.label}`, async (t) => {
    for (const path of ["/socket.io", "/socket.io/"]) {
      await connect(t, clientType, server, { extra: { path } });
    }
    const error = await clientType.connectError(server, { extra: { path: "/chat" } });
    assert.equal(error.type, "TransportError");
    if (clientType.transport === "websocket") assert.match(error.description.message, /404/);
    else assert.equal(error.description, 404);
  });

  test(`withCredentials and extraHeaders: a page of another origin, ${clientType.label}`, async (t) => {
    const token = await userToken();
    const ann = await connect(t, clientType, server, {
      headers: { authorization: `Bearer ${token}`, origin: ORIGIN },
      extra: { withCredentials: true },
    });
    if (clientType.transport === "upgrade") await waitForUpgrade(ann);
    await ann.waitForWelcome(token);
    await barrier(ann, undefined, ann);
  });

  for (const closeOnBeforeunload of [true, false]) {
    test(`closeOnBeforeunload: ${closeOnBeforeunload}, ${clientType.label}`, async (t) => {
      const room = unique("room");
      const bob = await joinAsGuest(t, socketIo("4.8", "websocket"), server, "bob", { room });
      // `autoUnref`: the client waits for the next ping of a connection that its page has closed.
      const extra = { closeOnBeforeunload, autoUnref: true };
      const ann = await joinAsGuest(t, clientType, server, "ann", { room, extra });
      if (clientType.transport === "upgrade") await waitForUpgrade(ann);
      dispatchPageEvent("beforeunload");
      if (closeOnBeforeunload) {
        const isAnn = ({ user }) => user === ann.name;
        assert.deepEqual(await bob.next("user left", isAnn), { room, user: ann.name });
      } else {
        await barrier(ann, room, ann, bob);
      }
    });
  }
}

for (const [transports, first, last] of [
  [["polling", "websocket"], "polling", "websocket"],
  [["websocket", "polling"], "websocket", "websocket"],
  [["polling"], "polling", "polling"],
  [["websocket"], "websocket", "websocket"],
]) {
  test(`transports: ${transports.join(", ")}`, async (t) => {
    const clientType = socketIo("4.8", "upgrade");
    const socket = clientType.open(server.url, { extra: { transports, autoConnect: false } });
    t.after(() => socket.disconnect());
    socket.connect();
    const upgraded = first !== last && once(socket.io.engine, "upgrade");
    const opened = new Promise((resolve) => {
      socket.io.engine.once("open", () => resolve(socket.io.engine.transport.name));
    });
    await once(socket, "connect");
    assert.equal(await opened, first);
    if (upgraded) await upgraded;
    assert.equal(socket.io.engine.transport.name, last);
  });
}

test("rememberUpgrade: the next connection begins with WebSocket", async (t) => {
  const clientType = socketIo("4.8", "upgrade");
  const options = { extra: { rememberUpgrade: true } };
  const first = await connect(t, clientType, server, options);
  await waitForUpgrade(first);
  const second = await connect(t, clientType, server, options);
  assert.equal(second.engine.transport.name, "websocket");
});

for (const [first, upgrade] of [
  ["websocket", "refuse"],
  ["polling", "pass"],
]) {
  test(`tryAllTransports: ${first} fails first`, async (t) => {
    const proxy = await new ClientProxy(server, { upgrade }).start(t);
    const isPolling = first === "polling";
    const extra = {
      tryAllTransports: true,
      transports: isPolling ? ["polling", "websocket"] : ["websocket", "polling"],
      // The address of polls alone: none is served there.
      ...(isPolling && { transportOptions: { polling: { path: "/nowhere/" } } }),
    };
    const ann = await joinAsGuest(t, socketIo("4.8", "upgrade"), proxy, "ann", { extra });
    assert.equal(ann.engine.transport.name, isPolling ? "websocket" : "polling");
    await barrier(ann, undefined, ann);
  });
}

function userToken() {
  return signToken(server, { sub: unique("ann"), exp: epochSeconds(600) });
}
