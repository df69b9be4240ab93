// Plain WebSocket with `roomcast.msgpack`. docs/protocol.md "Plain WebSocket".

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { asBuffers, fromBase64 } from "../suites/binary.mjs";
import { assertConsecutive, assertOk, assertRefused } from "../support/assert.mjs";
import { barrier, connect, connectWithToken, joinAsGuest } from "../support/fixtures.mjs";
import { pack, wsMsgpack } from "../support/msgpack.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const server = serverForThisFile();

const bytes = (hex) => Buffer.from(hex.replaceAll(" ", ""), "hex");
const wordOf = (length) => "wörd ".repeat(length).slice(0, length);
const mapOf = (length) => Object.fromEntries(listOf(length).map((n) => [`key ${n}`, n]));
const listOf = (length) => Array.from({ length }, (_, n) => n);

/** Values at the boundaries of each of the format's kinds. */
const VALUES = {
  integers: [
    0,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 53 - 1,
    -1,
    -32,
    -33,
    -128,
    -129,
    -32_768,
    -32_769,
    -(2 ** 31),
    -(2 ** 31) - 1,
    -(2 ** 53 - 1),
  ],
  "other numbers": [1.5, -0.1, 1e300, 5e-324, Math.PI],
  "null and booleans": [true, false, [null], []],
  text: ["a", "Grüße 🙂", '\0\x1f"\\\n', ...[31, 32, 255, 256, 65_535, 65_536].map(wordOf)],
  lists: [15, 16, 65_535, 65_536].map(listOf),
  maps: [{}, ...[1, 15, 16, 10_000].map(mapOf), { "": 1, ö: { deep: [{ er: null }] } }],
  bytes: [...[0, 1, 255, 256, 65_535, 65_536].map((it) => Buffer.alloc(it, 7))],
  "bytes in JSON": [[Buffer.from([0xff]), { name: "a", of: Buffer.alloc(0) }]],
};

/** The same value in encodings that are longer than needed. */
const FORMS = [
  ["cc 05", 5],
  ["cd 0005", 5],
  ["ce 00000005", 5],
  ["cf 0000000000000005", 5],
  ["d0 05", 5],
  ["d1 fffb", -5],
  ["d2 fffffffb", -5],
  ["d3 fffffffffffffffb", -5],
  ["ca 3fc00000", 1.5],
  ["cb 3ff8000000000000", 1.5],
  ["cb 4000000000000000", 2],
  ["d9 01 61", "a"],
  ["da 0001 61", "a"],
  ["db 00000001 61", "a"],
  ["dc 0001 05", [5]],
  ["dd 00000001 05", [5]],
  ["de 0001 a161 05", { a: 5 }],
  ["df 00000001 d90161 05", { a: 5 }],
  ["c5 0001 ff", Buffer.from([0xff])],
  ["c6 00000001 ff", Buffer.from([0xff])],
];

describe("values over MessagePack", () => {
  for (const [kind, values] of Object.entries(VALUES)) {
    test(`${kind} arrive unchanged over every transport`, async (t) => {
      const { room, ann, receivers } = await senderAndReceivers(t);
      for (const msg of values) {
        const sent = assertOk(await ann.ask("send message", { room, msg }));
        for (const [it, read] of receivers) {
          const { id, at, seq, ...received } = await it.next("new message");
          assert.deepEqual({ id, at, seq }, { id: sent.id, at: sent.at, seq: sent.seq });
          assert.deepEqual(read(received), { room, username: ann.name, msg });
        }
      }
      const page = assertOk(await ann.ask("history", { room, limit: 200 }));
      const newest = page.messages.map(({ msg }) => msg);
      assert.ok(0 < newest.length);
      assert.deepEqual(newest, values.slice(-newest.length));
    });
  }

  test("longer encodings of a value are accepted", async (t) => {
    const { room, ann, receivers } = await senderAndReceivers(t);
    for (const [hex, value] of FORMS) {
      ann.sendRaw(posting(room, bytes(hex)));
      for (const [it, read] of receivers) {
        assert.deepEqual(read((await it.next("new message")).msg), value, hex);
      }
    }
  });

  test("acknowledgements, refusals and events have the same fields as in JSON", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, wsMsgpack, server, "ann");
    const bob = await joinAsGuest(t, wsJson, server, "bob");
    for (const it of [ann, bob]) assertOk(await it.ask("join", room));
    const same = async (event, data) =>
      assert.deepEqual(await ann.ask(event, data), await bob.ask(event, data), event);
    assertOk(await bob.ask("send message", { room, msg: { n: [1, null, "two", 2.5] } }));
    const received = await ann.next("new message");
    assert.deepEqual(received, await bob.next("new message"));
    await same("GroupList", { room });
    await same("history", { room });
    await same("presence", { users: [bob.name, "unknown"] });
    await same("send message", { room: "?!", msg: "hi" });
    await same("send message", { room, msg: "" });
    await same("no such event", null);
    await same("read", { room, seq: 1 });
    const shape = ({ welcome }) => Object.keys(welcome);
    assert.deepEqual(shape(ann).sort(), shape(bob).sort());
    assert.deepEqual(ann.welcome.limits, bob.welcome.limits);
    ann.emit("send message", { room, msg: "" });
    assert.equal((await ann.next("error message")).code, "message_empty");
    ann.emit("history", { room });
    assertConsecutive((await ann.next("history")).messages);
  });

  test("`ack` may be any integer from 0 to 2^53-1, and is returned unchanged", async (t) => {
    const ann = await joinAsGuest(t, wsMsgpack, server, "ann", { room: unique("room") });
    for (const ack of [0, 127, 128, 1000, 2 ** 32, 2 ** 53 - 1]) {
      ann.send({ event: "GroupList", ack });
      assert.equal(assertOk(await ann.next("answer")).ack, ack);
    }
  });

  test("missed messages arrive unchanged", async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, wsMsgpack, server, "ann", { room });
    const list = Object.values(VALUES).flat().slice(0, 30);
    for (const it of await ann.askAll(
      "GroupChat",
      list.map((data) => ({ room, data })),
    ))
      assertOk(it);
    const since = { [room]: 0 };
    const back = await connectWithToken(t, wsMsgpack, server, ann.token, { room, since });
    const { messages, recovered, more } = await back.next("missed");
    assert.deepEqual([recovered, more], [true, false]);
    assert.deepEqual(
      messages.map(({ data }) => data),
      list,
    );
  });

  test("ten attachments are accepted, eleven are refused", async (t) => {
    const { room, ann, receivers } = await senderAndReceivers(t);
    const ten = Array.from({ length: 10 }, (_, n) => Buffer.from([n]));
    assertOk(await ann.ask("send message", { room, msg: ten }));
    for (const [it, read] of receivers) {
      assert.deepEqual(read((await it.next("new message")).msg), ten);
    }
    const msg = [...ten, Buffer.from([10])];
    assertRefused(await ann.ask("send message", { room, msg }), "too_many_attachments");
    assert.equal((await barrier(ann, room, ...receivers.map(([it]) => it))).seq, 2);
  });
});

/** Bodies that JSON cannot express. */
const BODIES = {
  NaN: "cb 7ff8000000000000",
  "NaN in four bytes": "ca 7fc00000",
  infinity: "cb 7ff0000000000000",
  "negative infinity": "cb fff0000000000000",
  "infinity in four bytes": "ca 7f800000",
  "NaN in a list": "92 01 cb7ff8000000000000",
  "an extension of one byte": "d4 01 00",
  "an extension of sixteen": `d8 01 ${"00".repeat(16)}`,
  "a time": "d6 ff 00000000",
  "a long extension": "c7 02 01 0000",
  "a nested extension": "81 a161 d40100",
  "the unused byte c1": "c1",
  "a key that is a number": "81 01 a161",
  "a key that is nil": "81 c0 a161",
  "a key that is bytes": "81 c40161 a161",
  "a key that is a list": "81 90 a161",
  "text that is not UTF-8": "a2 c328",
  "half a surrogate pair and a broken character": "a5 eda080 edff",
  "text longer than the frame": "db ffffffff 61",
  "bytes longer than the frame": "c6 ffffffff 61",
  "a list longer than the frame": "dd ffffffff 01",
  "a map longer than the frame": "df ffffffff a161 01",
  "an extension longer than the frame": "c9 ffffffff 01 00",
  "a list of long lists": "dd ffffffff".repeat(10),
  "text longer by one": "a2 61",
  "bytes after the end": "a161 00",
  "another value after the end": "a161 a162",
  "lists 65 deep": `${"91".repeat(65)} 01`,
  "maps 65 deep": `${"81a161".repeat(65)} 01`,
  "lists 100,000 deep": `${"91".repeat(100_000)} 01`,
  "open lists without an end": "91".repeat(100_000),
};

/** Whole frames that are not a request. */
const FRAMES = {
  "an empty one": Buffer.alloc(0),
  "a number": pack(5),
  nil: pack(null),
  text: pack("send message"),
  bytes: pack(Buffer.from([1])),
  "a list": pack(["send message", "hi"]),
  "an empty object": pack({}),
  "no event": pack({ data: "hi" }),
  "an event that is not text": pack({ event: 5 }),
  "an event that is bytes": pack({ event: Buffer.from("GroupList") }),
  "ack below zero": pack({ event: "GroupList", ack: -1 }),
  "ack with a fraction": pack({ event: "GroupList", ack: 1.5 }),
  "ack above 2^53-1": pack({ event: "GroupList", ack: 2 ** 53 }),
  "ack as text": pack({ event: "GroupList", ack: "7" }),
  "two at once": Buffer.concat([pack({ event: "GroupList" }), pack({ event: "GroupList" })]),
  "JSON in a binary frame": Buffer.from('{"event":"GroupList"}'),
  "JSON in a text frame": '{"event":"GroupList"}',
  "an empty text frame": "",
  "a text frame of the format": pack({ event: "GroupList" }).toString("latin1"),
};

describe("an invalid frame is answered, and the connection stays:", () => {
  test("whole frames", async (t) => {
    const { ann, check } = await witnessed(t);
    for (const [what, frame] of Object.entries(FRAMES)) {
      await t.test(what, () => answered(ann, frame));
    }
    await check();
  });

  test("bodies", async (t) => {
    const { room, ann, check } = await witnessed(t);
    for (const [what, hex] of Object.entries(BODIES)) {
      await t.test(what, () => answered(ann, posting(room, bytes(hex))));
    }
    await check();
  });

  test("a request that is truncated at any byte", async (t) => {
    const { room, ann, check } = await witnessed(t);
    const msg = ["text", Buffer.alloc(3), { key: [1.5, 70_000, -70_000, null, wordOf(40)] }];
    const whole = pack({ event: "send message", data: { room, msg } });
    for (let length = 0; length < whole.length; length += 1) {
      await answered(ann, whole.subarray(0, length), `cut off after ${length} bytes`);
    }
    await check();
  });

  test("with its `ack`, if that can be read", async (t) => {
    const { ann, check } = await witnessed(t);
    const ack = ["ack", 9].map(pack);
    for (const body of [BODIES["lists 100,000 deep"], BODIES["a key that is nil"]]) {
      const data = Buffer.concat([bytes("83"), pack("data"), bytes(body)]);
      ann.sendRaw(Buffer.concat([data, ...["event", "send message"].map(pack), ...ack]));
      const answer = await ann.next("answer");
      assert.deepEqual([answer.ack, answer.code], [9, "bad_request"]);
    }
    await check();
  });

  test("of an unidentified connection, too", async (t) => {
    const anonymous = await connect(t, wsMsgpack, server);
    await answered(anonymous, bytes("c1"));
    await answered(anonymous, "helloworld");
    await anonymous.identify(unique("ann"));
  });

  /**
   * A client `ann`, and `check`, which asserts that she is still connected and that nothing was
   * posted.
   */
  async function witnessed(t) {
    const room = unique("room");
    const ann = await joinAsGuest(t, wsMsgpack, server, "ann", { room });
    const bob = await joinAsGuest(t, wsJson, server, "bob", { room });
    const check = async () => assert.equal((await barrier(ann, room, bob)).seq, 1);
    return { room, ann, check };
  }

  async function answered(client, frame, what) {
    client.sendRaw(frame);
    const { code, message } = await client.next("error message");
    assert.equal(code, "bad_request", what);
    assert.equal(typeof message, "string", what);
  }
});

/** A sender `ann`, and one receiver on each transport with its codec for bytes. */
async function senderAndReceivers(t) {
  const room = unique("room");
  const ann = await joinAsGuest(t, wsMsgpack, server, "ann", { room });
  const same = (it) => it;
  const receivers = [
    [ann, same],
    [await joinAsGuest(t, wsMsgpack, server, "bob", { room }), same],
    [await joinAsGuest(t, wsJson, server, "carl", { room }), fromBase64],
    [await joinAsGuest(t, socketIo("4.8", "websocket"), server, "dora", { room }), asBuffers],
  ];
  return { room, ann, receivers };
}

/** A frame that posts the encoded `body` to `room`. */
function posting(room, body) {
  const head = ["event", "send message", "data"].map(pack);
  const data = ["room", room, "msg"].map(pack);
  return Buffer.concat([bytes("82"), ...head, bytes("82"), ...data, body]);
}
