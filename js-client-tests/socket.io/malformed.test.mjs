// Packets that no client library would send: they affect only their sender.

import assert from "node:assert/strict";
import { test } from "node:test";

import { barrier, joinAsGuest } from "../support/fixtures.mjs";
import {
  BINARY,
  encodeFrame,
  fetchText,
  RawPolling,
  RawWebSocket,
  TEXT,
} from "../support/raw-clients.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";

const server = serverForThisFile({ settings: { "limits.presence_grace_ms": 100 } });

const ONE = '{"_placeholder":true,"num":0}';

/** Socket.IO packets as text frames, and the binary frames that follow them. */
const PACKETS = [
  [`45999999999-["send message",${ONE}]`],
  [`451-["send message",{"_placeholder":true,"num":"splice"}]`, 1],
  [`451-["send message",{"_placeholder":true,"num":1}]`, 1],
  [`451-["send message",{"_placeholder":true,"num":-1}]`, 1],
  [`451-["send message",{"_placeholder":true,"num":1e99}]`, 1],
  [`4511-["send message",[${Array(11).fill(ONE)}]]`, 11],
  [`451-["send message",${ONE}]`],
  ["", 1],
  ['42[{"toString":"foo"}]'],
  ['42[true,"x"]'],
  ["42[null]"],
  ["42[]"],
  ["42{}"],
  ["42"],
  ['42["connect"]'],
  ['42["disconnect","123"]'],
  ['42["error"]'],
  ['42["__proto__",{}]'],
  ["40[]"],
  ['40/admin,"invalid"'],
  ["41/admin,{}"],
  ['42/admin,["send message","x"]'],
  ['442["some","data"'],
  ["43[]"],
  ["4399999999999999999999[]"],
  ["49"],
  ["4"],
  ["9"],
  ["2probe"],
  ["5"],
  [`42["send message",${"[".repeat(50_000)}${"]".repeat(50_000)}]`],
  [`42["send message",${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}]`],
];

for (const version of [4, 3]) {
  test(`malformed packets affect only their sender: Engine.IO ${version}`, async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, socketIo("4.8", "websocket"), server, "ann", { room });
    const bob = await joinAsGuest(t, socketIo("2.5", "polling"), server, "bob", { room });
    for (const [at, [packet, attachments = 0]] of PACKETS.entries()) {
      const raw = await connectRaw(t, version, room);
      if (packet) raw.text(packet);
      for (let n = 0; n < attachments; n += 1) {
        raw.write(
          encodeFrame({ opcode: BINARY, payload: Buffer.from(version === 3 ? [4, n] : [n]) }),
        );
      }
      // The next request is acknowledged, or the connection is closed.
      raw.text('42999["GroupList"]');
      const answer = raw.nextText((it) => it.startsWith("43999["));
      await answer.catch((error) =>
        assert.match(error.message, /^the connection ended before/, packet),
      );
      raw.destroy();
      assert.equal((await barrier(ann, room, bob)).seq, at + 1, `${packet} became a message`);
    }
  });
}

/** A user in `room` on a connection without a library. */
async function connectRaw(t, version, room) {
  const path = `/socket.io/?EIO=${version}&transport=websocket&room=${room}`;
  const raw = await RawWebSocket.open(t, server, path);
  if (version === 4) raw.text("40");
  await raw.nextText((it) => it.startsWith("40"));
  raw.text(`42["new user","${unique("stranger")}"]`);
  await raw.nextText((it) => it.includes('"welcome"'));
  return raw;
}

test("a broken frame is answered with its close code", async (t) => {
  const frames = [
    [encodeFrame({ opcode: TEXT, rsv: 4, payload: Buffer.from("2") }), 1002],
    [encodeFrame({ opcode: TEXT, masked: false, payload: Buffer.from("2") }), 1002],
    [encodeFrame({ opcode: TEXT, payload: Buffer.from([0x34, 0xff]) }), 1007],
    [encodeFrame({ opcode: TEXT, payload: Buffer.alloc(5_000_000, "4") }), 1009],
  ];
  for (const version of [4, 3]) {
    for (const [frame, code] of frames) {
      const raw = await connectRaw(t, version, unique("room"));
      raw.write(frame);
      assert.equal(await raw.closeCode(), code);
    }
  }
});

test("text that is cut in the middle of an emoji is delivered with U+FFFD", async (t) => {
  for (const version of ["4.8", "2.5"]) {
    const room = unique("room");
    const ann = await joinAsGuest(t, socketIo(version, "websocket"), server, "ann", { room });
    ann.emit("send message", "hi \ud83d");
    assert.equal((await ann.next("new message")).msg, "hi \ufffd");
  }
});

test("the path needs no slash at its end, and JSONP is refused", async () => {
  const open = async (path, query) => {
    const { status, body } = await fetchText(
      `${server.url}${path}?EIO=3&transport=polling${query}`,
    );
    return [status, body];
  };
  assert.equal((await open("/socket.io", ""))[0], 200);
  const [status, body] = await open("/socket.io/", "&j=0");
  assert.deepEqual([status, JSON.parse(body).code], [400, 0]);
});

test("an invalid handshake is answered with 400", async () => {
  const queries = [
    "",
    "EIO=4",
    "transport=polling",
    "EIO=99&transport=polling",
    "EIO=4&transport=__proto__",
    "EIO=4&transport=constructor",
    "EIO=4&transport=polling&sid=unknown",
    "EIO=x&transport=polling",
  ];
  for (const query of queries) {
    const { status } = await fetchText(`${server.url}/socket.io/?${query}`);
    assert.ok(400 <= status && status < 500, `${query}: ${status}`);
  }
});

test("binary data in text, and two concurrent polls, end a session with an error", async () => {
  const binary = await RawPolling.open(server);
  const { status } = await binary.post(Buffer.from([0xff, 0xfe]), "application/octet-stream");
  assert.ok(400 <= status && status < 500, `answered ${status}`);
  const twice = await RawPolling.open(server);
  const polls = await Promise.all([twice.poll(), twice.poll()].map((it) => it.catch(() => ({}))));
  assert.ok(
    polls.some((it) => 400 <= it.status || it.packets?.includes("1")),
    "two polls are pending",
  );
});
