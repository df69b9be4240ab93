// The dialect `hello`. docs/dialects.md; the clients R1 and R2.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import WebSocket from "ws";

import { connectDialect } from "../support/dialect.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { httpRequest } from "../support/http.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile({ settings: { paths: [{ path: "/", dialect: "hello" }] } });

/** The ways to choose the dialect. */
const WAYS = {
  "the subprotocol": { protocols: ["hello"] },
  "the query": { query: { dialect: "hello" } },
  "a path of the settings": { path: "/" },
};

for (const [way, options] of Object.entries(WAYS)) {
  describe(`hello by ${way}`, () => {
    test("R1: helloworld is answered, close closes, anything else is unknown", async (t) => {
      const client = await connectDialect(t, server, options);
      assert.equal(client.socket.protocol, options.protocols?.[0] ?? "");
      assert.equal(await client.answer("helloworld"), "Hello World");
      for (const other of ["hello", "HELLOWORLD", "", Buffer.from("helloworld")]) {
        assert.equal(await client.answer(other), "unkonwn command");
      }
      assert.equal(await client.answer("helloworld"), "Hello World");
      client.send("close");
      assert.deepEqual(await client.close(), { code: 1000, reason: "" });
    });
  });
}

test("R2: the browser's code reads the floats from an ArrayBuffer", async (t) => {
  const url = `${server.url.replace("http", "ws")}/?binary=1`;
  const socket = new WebSocket(url);
  t.after(() => socket.terminate());
  socket.binaryType = "arraybuffer";
  socket.onopen = () => socket.send("helloworld");
  const received = new Promise((resolve) => {
    socket.onmessage = ({ data }) => resolve(new Float32Array(data));
  });
  const floats = await withTimeout("the floats", received);
  assert.deepEqual(
    floats,
    Float32Array.from({ length: 10_000 }, (_, i) => i / 2),
  );
});

test("answers that were asked for before close arrive before it", async (t) => {
  const client = await connectDialect(t, server, { path: "/", query: { binary: 1 } });
  for (let i = 0; i < 20; i += 1) client.send("helloworld");
  client.send("close");
  await client.close();
  const frames = client.take();
  assert.deepEqual([frames.length, frames.at(-1).length], [20, 40_000]);
});

test("a client is a user of its room", async (t) => {
  const room = unique("room");
  const ann = await joinAsGuest(t, wsJson, server, "ann", { room });
  const client = await connectDialect(t, server, { query: { dialect: "hello", room } });
  const { user } = await ann.next("user joined");
  assert.match(user, /^guest-[a-z0-9]+$/);
  client.send("close");
  await client.close();
});

test("the page at the same path is still there", async () => {
  const other = { connection: "Upgrade, HTTP2-Settings", upgrade: "h2c", "http2-settings": "" };
  for (const headers of [{}, other]) {
    const answer = await httpRequest(server, "/", { headers });
    assert.equal(answer.status, 200);
    assert.match(answer.headers["content-type"], /^text\/html/);
  }
});
