// Compressed answers to polls. docs/protocol.md "Socket.IO".

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { test } from "node:test";
import { gunzipSync, inflateSync } from "node:zlib";

import { Fetch, io, NodeXHR } from "socket.io-client";

import { serverForThisFile } from "../support/server.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";

const server = serverForThisFile();

const TEXT = "Ünï ".repeat(10_000);

// `Fetch` accepts compressed answers, `NodeXHR` does not.
for (const transport of [Fetch, NodeXHR]) {
  test(`the official client receives large answers: ${transport.name}`, async () => {
    const socket = io(server.url, { transports: [transport], forceNew: true });
    try {
      await withTimeout("a connection", once(socket, "connect"));
      const [ok] = await socket.timeout(10_000).emitWithAck("new user", unique("ann")).then(wrap);
      assert.equal(ok, true);
      const received = once(socket, "new message");
      const bytes = Buffer.alloc(5000, 7);
      const room = unique("room");
      await socket.timeout(10_000).emitWithAck("join", room);
      await socket.timeout(10_000).emitWithAck("send message", { room, msg: [TEXT, bytes] });
      const [{ msg }] = await withTimeout("a message", received);
      assert.deepEqual([msg[0], Buffer.from(msg[1])], [TEXT, bytes]);
    } finally {
      socket.disconnect();
    }
  });
}

for (const version of [4, 3]) {
  test(`answers above 1 KiB have the accepted encoding: Engine.IO ${version}`, async () => {
    const path = `/socket.io/?EIO=${version}&transport=polling`;
    const { body: open } = await get(path);
    const sid = /"sid":"([^"]+)"/.exec(open.toString())[1];
    const post = async (packet) => {
      const body = version === 3 ? `${packet.length}:${packet}` : packet;
      const answer = await fetch(`${server.url}${path}&sid=${sid}`, { method: "POST", body });
      assert.equal(answer.status, 200);
    };
    if (version === 4) await post("40");
    while (!(await get(`${path}&sid=${sid}`)).body.includes("40"));
    await post(`42["new user","${unique("ann")}"]`);
    await post(`42["send message","${"x".repeat(5000)}"]`);
    while (!(await get(`${path}&sid=${sid}`)).body.includes("xxx"));
    for (const [accepted, encoding, decode] of [
      ["gzip, deflate", "gzip", gunzipSync],
      ["deflate", "deflate", inflateSync],
      ["", undefined, (it) => it],
    ]) {
      await post('427["history"]');
      let answer;
      do {
        answer = await get(`${path}&sid=${sid}`, accepted);
      } while (!(answer.body.includes("437[") || answer.headers["content-encoding"]));
      assert.equal(answer.headers["content-encoding"], encoding);
      assert.equal(answer.headers["content-length"] === undefined, encoding !== undefined);
      assert.match(decode(answer.body).toString(), /437\[.*x{5000}/);
      await post('428["GroupList"]');
      const small = await get(`${path}&sid=${sid}`, accepted);
      assert.equal(small.headers["content-encoding"], undefined);
      assert.equal(Number(small.headers["content-length"]), small.body.length);
    }
  });
}

/** The acknowledgement of `new user` has two arguments, of which `emitWithAck` gives the first. */
const wrap = (ok) => [ok];

/** A response as it is sent, without decoding. */
function get(path, accepted = "") {
  const headers = accepted ? { "accept-encoding": accepted } : {};
  return new Promise((resolve, reject) => {
    http
      .get(server.url + path, { headers, agent: false }, async (response) => {
        const parts = await response.toArray();
        resolve({ headers: response.headers, body: Buffer.concat(parts) });
      })
      .on("error", reject);
  });
}
