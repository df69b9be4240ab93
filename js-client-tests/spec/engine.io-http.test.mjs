// The requests of Engine.IO: errors, headers and what ends a session over polling. The answers are
// those of the official server 4.8, but for what docs/protocol.md "Socket.IO" says.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  EngineIoPolling,
  enginePath,
  SOCKET_IO_PATH,
  upgradeRequest,
} from "../support/engine.io.mjs";
import { httpRequest } from "../support/http.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { waitUntil } from "../support/wait-until.mjs";

const server = serverForThisFile({ settings: { spaces: ["/shop"] } });

const ERRORS = {
  transport: { code: 0, message: "Transport unknown" },
  sid: { code: 1, message: "Session ID unknown" },
  method: { code: 2, message: "Bad handshake method" },
  request: { code: 3, message: "Bad request" },
  version: { code: 5, message: "Unsupported protocol version" },
};

/** The answer is an error of the protocol, as the official server writes it. */
function assertEngineError({ status, headers, body }, error, what) {
  assert.deepEqual([status, body], [400, error], what);
  assert.equal(headers["content-type"], "application/json", what);
  assert.equal(headers["cache-control"], "no-store", what);
}

/** A POST is accepted, whatever follows. */
function assertPosted({ status, body }) {
  assert.deepEqual([status, body], [200, "ok"]);
}

test("an invalid request is answered with its number", async () => {
  const unknown = "AAAAAAAAAAAAAAHs";
  for (const [query, error] of [
    ["", ERRORS.transport],
    ["EIO=4", ERRORS.transport],
    ["EIO=4&transport=foo", ERRORS.transport],
    ["EIO=4&transport=webtransport", ERRORS.transport],
    ["EIO=4&transport=__proto__", ERRORS.transport],
    [`EIO=4&transport=polling&sid=${unknown}`, ERRORS.sid],
    [`EIO=4&transport=websocket&sid=${unknown}`, ERRORS.sid],
    ["EIO=4&transport=polling&sid=unknown", ERRORS.sid],
    ["EIO=4&transport=polling&sid=__proto__", ERRORS.sid],
    ["EIO=4&transport=polling&sid=../../etc/passwd", ERRORS.sid],
    ["transport=polling&sid=unknown", ERRORS.sid],
    ["EIO=4&transport=websocket", ERRORS.request],
    ["EIO=3&transport=websocket", ERRORS.request],
    ["transport=polling", ERRORS.version],
    ["EIO=2&transport=polling", ERRORS.version],
    ["EIO=5&transport=polling", ERRORS.version],
  ]) {
    assertEngineError(await httpRequest(server, enginePath(query)), error, query);
  }
});

test("an upgrade request that is refused has the same answer", async () => {
  for (const [query, error] of [
    ["EIO=4&transport=foo", ERRORS.transport],
    ["EIO=4&transport=websocket&sid=unknown", ERRORS.sid],
    ["EIO=5&transport=websocket", ERRORS.version],
  ]) {
    assertEngineError(await upgradeRequest(server, query), error, query);
  }
  const query = "EIO=4&transport=websocket";
  const badKey = await upgradeRequest(server, query, { "sec-websocket-key": "short" });
  assertEngineError(badKey, ERRORS.request, "a key that is too short");
});

test("a session begins with GET", async () => {
  const path = enginePath("EIO=4&transport=polling");
  for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
    assertEngineError(await httpRequest(server, path, { method }), ERRORS.method, method);
  }
  const { status, body } = await httpRequest(server, path, { method: "HEAD" });
  assert.deepEqual([status, body], [400, ""]);
});

for (const version of [4, 3]) {
  test(`the answers have the official form: Engine.IO ${version}`, async () => {
    const session = await EngineIoPolling.open(server, version);
    const { sid, ...rest } = session.handshake;
    assert.match(sid, /^[\w-]{16,}$/);
    assert.deepEqual(rest, {
      upgrades: ["websocket"],
      pingInterval: 25_000,
      pingTimeout: 20_000,
      maxPayload: 4_194_304,
    });
    const posted = await session.post("40");
    assert.deepEqual([posted.status, posted.body], [200, "ok"]);
    assert.equal(posted.headers["content-type"], "text/html");
    assert.equal(posted.headers["content-length"], "2");
    const polled = await session.poll();
    for (const it of [session.opened, polled]) {
      assert.equal(it.headers["content-type"], "text/plain; charset=UTF-8");
    }
    for (const { headers } of [session.opened, posted, polled]) {
      assert.equal(headers["cache-control"], "no-store");
    }
  });

  test(`a request that does not fit its session changes nothing: Engine.IO ${version}`, async () => {
    const session = await EngineIoPolling.connect(server, version);
    const { query } = session;
    for (const [what, request] of Object.entries({
      "a WebSocket without upgrade": { query: query.replace("=polling", "=websocket") },
      "another version": { query: query.replace(/EIO=./, `EIO=${7 - version}`) },
      "a POST of another version": {
        query: query.replace(/EIO=./, `EIO=${7 - version}`),
        method: "POST",
        body: "1",
      },
      PUT: { method: "PUT" },
      DELETE: { method: "DELETE" },
    })) {
      assertEngineError(await session.request(request), ERRORS.request, what);
    }
    assert.equal((await session.request({ method: "HEAD" })).status, 400);
    assert.equal((await session.request({ method: "OPTIONS" })).status, 204);
    await session.ask();
  });

  test(`two polls at the same time end the session: Engine.IO ${version}`, async () => {
    const session = await EngineIoPolling.connect(server, version);
    const answers = await Promise.all([session.poll(), session.poll()]);
    assert.ok(
      answers.some((it) => it.status === 400),
      JSON.stringify(answers),
    );
    await session.ended();
  });

  test(`a request that is broken off ends the session: Engine.IO ${version}`, async () => {
    for (const [method, options] of [
      ["GET", {}],
      ["POST", { body: "42[", announced: 100 }],
    ]) {
      const session = await EngineIoPolling.connect(server, version);
      // The server may close a socket before it begins with its request, and answer a poll at once.
      await waitUntil("the end of the session", async () => {
        await session.breakOff(method, options);
        return session.isUnknown();
      });
    }
  });

  for (const packet of ["abc", "7", ...(version === 4 ? ["2", "2probe", "1"] : ["3", "1"])]) {
    test(`"${packet}" ends the session at once: Engine.IO ${version}`, async () => {
      const session = await EngineIoPolling.connect(server, version);
      assertPosted(await session.post(packet));
      await session.ended();
      assertEngineError(await session.request(), ERRORS.sid, "the next poll");
    });
  }

  for (const packet of [
    "4",
    "4x",
    "40",
    "40/shop,[]",
    "41{}",
    "42[",
    "42[null]",
    '42["disconnect"]',
    '42/shop,["x"]',
    '42/nope,["x"]',
    '450-["x"]',
    '4511-["x"]',
    version === 4 ? "bAQID" : "b4AQID",
  ]) {
    test(`"${packet}" ends the session with the next poll: Engine.IO ${version}`, async () => {
      const session = await EngineIoPolling.connect(server, version);
      assertPosted(await session.post(packet));
      const { packets } = await session.poll();
      // The name of an event is judged after the answer to its POST: the poll may be pending then.
      if (packet.startsWith("42[")) assert.match(packets.join(), /^(6,)?1$/);
      else assert.deepEqual(packets, ["6", "1"]);
      await session.ended();
    });

    test(`"${packet}" ends the session with a pending poll: Engine.IO ${version}`, async () => {
      const session = await EngineIoPolling.connect(server, version);
      const polled = session.poll();
      assertPosted(await session.post(packet));
      // The POST may arrive first.
      const { packets } = await polled;
      assert.equal(packets.at(-1), "1");
      assert.ok(packets.length === 1 || packets[0] === "6", packets.join());
      await session.ended();
    });
  }

  for (const packet of ["0{}", "5", "6", "42", "421", "43", '43["x"]', '43999["x"]']) {
    test(`"${packet}" changes nothing: Engine.IO ${version}`, async () => {
      const session = await EngineIoPolling.connect(server, version);
      assertPosted(await session.post(packet));
      await session.ask();
    });
  }

  test(`what is posted with a packet that ends the session: Engine.IO ${version}`, async () => {
    const session = await EngineIoPolling.connect(server, version);
    assertPosted(await session.post("6", '421["GroupList"]', "42[", '422["GroupList"]'));
    await session.pollUntil((packet) => packet === "1");
    await session.ended();
  });

  test(`a session over polling is not pinged at once: Engine.IO ${version}`, async () => {
    const session = await EngineIoPolling.open(server, version);
    const polled = session.poll();
    await session.post(version === 4 ? "40" : '42999["GroupList"]');
    const seen = [];
    for (let { packets } = await polled; ; { packets } = await session.poll()) {
      seen.push(...packets);
      if (packets.some((it) => it.startsWith(version === 4 ? "40" : "43999["))) break;
    }
    assert.ok(!seen.includes("2"), seen.join());
  });

  test(`a session on a WebSocket has no polls: Engine.IO ${version}`, async (t) => {
    const session = await EngineIoPolling.connect(server, version);
    const raw = await session.upgrade(t);
    raw.text('42999["GroupList"]');
    await raw.nextText((packet) => packet.startsWith("43999["));
    assertEngineError(await session.request(), ERRORS.request, "a poll");
    assertEngineError(await session.post("3"), ERRORS.request, "a POST");
    raw.text('421["GroupList"]');
    await raw.nextText((packet) => packet.startsWith("431["));
  });

  test(`a probe that fails leaves the session on polling: Engine.IO ${version}`, async (t) => {
    const session = await EngineIoPolling.connect(server, version);
    for (const first of ["2other", "5", '42["x"]', "3probe"]) {
      const raw = await session.openWebSocket(t);
      raw.text(first);
      await raw.ended();
      await session.ask();
    }
    const raw = await session.openWebSocket(t);
    raw.text("2probe");
    await raw.nextText((packet) => packet === "3probe");
    raw.destroy();
    await session.ask();
  });
}

test("a payload without packets, and one of bytes, end a session of version 4", async () => {
  for (const body of ["", "\x1e", "3\x1e"]) {
    const session = await EngineIoPolling.connect(server);
    assertPosted(await session.postBody(body));
    await session.ended();
  }
  const session = await EngineIoPolling.connect(server);
  const refused = await session.postBody("40", "application/octet-stream");
  assertEngineError(refused, ERRORS.request, "bytes");
  await session.ended();
});

test("a payload that is none ends a session of version 3", async () => {
  for (const body of ["", "abc", "9:4a", "x:1", "2:4"]) {
    const session = await EngineIoPolling.connect(server, 3);
    assertPosted(await session.postBody(body));
    await session.ended();
  }
});

test("the type of a POST does not matter otherwise", async () => {
  const session = await EngineIoPolling.connect(server);
  for (const type of ["application/json", "text/html", "x"]) {
    assert.equal((await session.postBody('421["GroupList"]', type)).status, 200);
    await session.pollUntil((packet) => packet.startsWith("431["));
  }
});

test("the engine has one path, with a slash at its end or without", async () => {
  const status = async (path) =>
    (await httpRequest(server, `${path}?EIO=4&transport=polling`)).status;
  assert.equal(await status(SOCKET_IO_PATH), 200);
  assert.equal(await status(SOCKET_IO_PATH.slice(0, -1)), 200);
  for (const path of ["/Socket.io/", "/socket.iox/", "//socket.io/", "/socket.io/x/"]) {
    assert.equal(await status(path), 404, path);
  }
});

test("a text without content is no packet: Engine.IO 3", async () => {
  const session = await EngineIoPolling.connect(server, 3);
  for (const body of ["0:", "0:0:", "00:", '0:16:421["GroupList"]0:']) {
    assertPosted(await session.postBody(body));
  }
  await session.pollUntil((packet) => packet.startsWith("431["));
  await session.ask();
});
