// Packets on a WebSocket: which ones end a session, as in the official server 4.8 with its parser
// 4.2.7, and which ones do not.

import assert from "node:assert/strict";
import { test } from "node:test";

import { barrier, joinAsGuest } from "../support/fixtures.mjs";
import { BINARY, encodeFrame, RawWebSocket, TEXT } from "../support/raw-clients.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";

const server = serverForThisFile({ settings: { spaces: ["/shop"] } });

const PLACEHOLDER = placeholder(0);

/** An attachment. */
const BYTES = Buffer.from([1, 2, 3]);

/** CONNECT to another space, whose answer is awaited. */
const JOIN = { joins: "40/shop," };

/** The names of events that the parser keeps for itself. */
const RESERVED = [
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener",
];

/** Packets of a client that is connected to `/` which end its session, for either version. */
const ENDS = {
  "an empty packet": [""],
  "an unknown packet": ["7"],
  "a text without packet type": ["abc"],
  "a byte order mark": ['\ufeff42["x"]'],
  "a message without content": ["4"],
  "a message without packet type": ["4x"],
  "an unknown packet type": ["47"],
  "a second CONNECT": ["40"],
  "a second CONNECT with auth": ["40{}"],
  "a second CONNECT to a space": [JOIN, "40/shop,"],
  "CONNECT with a list": ["40/shop,[]"],
  "CONNECT with a text": ['40/shop,"x"'],
  "CONNECT with true": ["40/shop,true"],
  "CONNECT with null": ["40/shop,null"],
  "CONNECT that is cut off": ['40/shop,{"token":"x"'],
  "CONNECT with a list to an unknown space": ["40/nope,[]"],
  "CONNECT with a list, in fragments": [fragments("40/shop,", "[]")],
  "a second CONNECT in fragments": [fragments("4", "0")],
  "a disconnect with data": ["41{}"],
  "an event to an unknown space": ['42/nope,["x"]'],
  "an event without JSON to an unknown space": ["42/nope"],
  "an acknowledgement to an unknown space": ['43/nope,1["x"]'],
  "a disconnect from an unknown space": ["41/nope,"],
  "a second disconnect from a space": [JOIN, "41/shop,", "41/shop,"],
  "an event to a space that was left": [JOIN, "41/shop,", '42/shop,["x"]'],
  "an acknowledgement that is an object": ["431{}"],
  "an acknowledgement that is cut off": ["431["],
  "an acknowledgement without number that is cut off": ["43["],
  "no attachments": ['450-["x"]'],
  "eleven attachments": [`4511-["x"${`,${PLACEHOLDER}`.repeat(11)}]`],
  "a placeholder out of range": [`451-["x",[${placeholder(1)}]]`, BYTES],
  "a placeholder below zero": [`451-["x",${placeholder(-1)}]`, BYTES],
  "a placeholder that is a text": [`451-["x",${placeholder('"0"')}]`, BYTES],
  "a placeholder without number": ['451-["x",{"_placeholder":true}]', BYTES],
  "an acknowledgement with a placeholder out of range": [`461-7[${placeholder(3)}]`, BYTES],
  "more bytes than announced": [`451-["x",${PLACEHOLDER}]`, BYTES, BYTES],
  "an event to a space that is not joined": ['42/shop,["x"]'],
  "an acknowledgement to a space that is not joined": ['43/shop,1["x"]'],
  "a disconnect from a space that is not joined": ["41/shop,"],
  "a refusal": ['44{"message":"x"}'],
  "a refusal without content": ["44"],
  "an event after a disconnect": ["41", '42["x"]'],
  "an event that is empty": ["42[]"],
  "an event that is an object": ["42{}"],
  "an event that is a text": ['42"x"'],
  "an event that is cut off": ['42["x"'],
  "a text after the event": ['42["x"]y'],
  "a name that is true": ["42[true]"],
  "a name that is null": ["42[null]"],
  "a name that is an object": ['42[{"a":1}]'],
  "a name that is a list": ['42[["x"]]'],
  "a name that is a placeholder": [`451-[${PLACEHOLDER}]`, BYTES],
  "a reserved name with bytes": [`451-["connect",${PLACEHOLDER}]`, BYTES],
  ...Object.fromEntries(RESERVED.map((it) => [`the name ${it}`, [`421["${it}","x"]`]])),
  "attachments without their number": [`45-["x",${PLACEHOLDER}]`],
  "attachments without the dash": [`451["x",${PLACEHOLDER}]`],
  "a number of attachments below zero": [`45-1-["x",${PLACEHOLDER}]`],
  "a number of attachments that is none": [`45a-["x",${PLACEHOLDER}]`],
  "a number of attachments with a point": [`451.5-["x",${PLACEHOLDER}]`],
  "a number of attachments that is too large": [`459999999999-["x",${PLACEHOLDER}]`],
  "a text in place of an attachment": [`451-["x",${PLACEHOLDER}]`, '42["x"]'],
  "a header in place of an attachment": Array(2).fill(`451-["x",${PLACEHOLDER}]`),
  "bytes without a header": [BYTES],
  "no bytes without a header": [Buffer.alloc(0)],
};

/** Heartbeats that only the server sends, by version. */
const WRONG_DIRECTION = {
  4: ["2", "2x", "2probe"],
  3: ["3", "3x", "3probe"],
};

/** Packets after which the session goes on. */
const CONTINUES = {
  "an open packet": ["0{}"],
  "a close packet": ["1", "1x", fragments("1", "x")],
  "a packet of an upgrade": ["5"],
  "a noop": ["6", `6${"x".repeat(5000)}`],
  "an event without JSON": ["42", "421", "42/"],
  "an event without JSON to a space": [JOIN, "42/shop,", "42/shop"],
  "an acknowledgement without JSON": ["43", "431"],
  "an acknowledgement without number": ["43[]", '43["x"]', '43 ["x"]'],
  "bytes without JSON": ["451-", BYTES, "451-1", BYTES, "461-", BYTES],
  "bytes for an acknowledgement without number": [`461-[${PLACEHOLDER}]`, BYTES],
  "a space that is joined again": [JOIN, "41/shop,", JOIN, '42/shop,["x"]'],
  "what only looks like a placeholder": ['451-["x",{"_placeholder":false,"num":9}]', BYTES],
  "a placeholder that is a fraction": [`451-["x",${placeholder(0.5)}]`, BYTES],
  "an acknowledgement that nobody expects": ['430["x"]'],
  "an acknowledgement with bytes that nobody expects": [`461-7[${PLACEHOLDER}]`, BYTES],
  "a space after the packet": ['42["x"] '],
  "spaces in the packet": ['42 [ "x" ]'],
  "a name that is a number": ["42[1]"],
  "a name that is a fraction": ["42[-1.5]"],
  "a name that is empty": ['42[""]'],
  "a name with NUL": ['42["a\\u0000b"]'],
  "a name with half a character": ['42["a\\ud800"]'],
  "the names of events before version 3": ['42["error"]', '42["ping"]', '42["reconnect"]'],
  "a name of every object": ['42["__proto__"]', '42["toString"]'],
  "a key of every object": ['42["x",{"__proto__":{"a":1}}]'],
  "a key that is repeated": ['42["x",{"a":1,"a":2}]'],
  "a number without bound": ['42["x",1e999]'],
  "a packet in fragments": [fragments('42["x', '"]')],
  "a packet after an empty fragment": [fragments("", '42["x"]')],
  "an attachment": [`451-["x",${PLACEHOLDER}]`, BYTES],
  "an attachment that is not used": ['451-["x"]', BYTES],
  "an attachment that is used twice": [`451-["x",${PLACEHOLDER},${PLACEHOLDER}]`, BYTES],
  "ten attachments": [`4510-["x"${`,${PLACEHOLDER}`.repeat(10)}]`, ...Array(10).fill(BYTES)],
  "a placeholder in an event without attachments": [`42["x",${PLACEHOLDER}]`],
};

for (const version of [4, 3]) {
  for (const [name, packets] of Object.entries(ENDS)) {
    test(`ends the session: ${name}, Engine.IO ${version}`, async (t) => {
      const raw = await connect(t, version);
      await send(raw, version, packets);
      await raw.ended();
    });
  }

  for (const packet of WRONG_DIRECTION[version]) {
    test(`ends the session: "${packet}", Engine.IO ${version}`, async (t) => {
      const raw = await connect(t, version);
      raw.text(packet);
      await raw.ended();
    });
  }

  for (const [name, packets] of Object.entries(CONTINUES)) {
    test(`does not end the session: ${name}, Engine.IO ${version}`, async (t) => {
      const raw = await connect(t, version);
      await send(raw, version, packets);
      await assertContinues(raw);
    });
  }

  test(`an unknown space is refused: Engine.IO ${version}`, async (t) => {
    const names = ["/nope", "/SHOP", "/shop/", ...(version === 4 ? ["/shop?a=b"] : [])];
    for (const end of [",", ""]) {
      const raw = await connect(t, version);
      for (const name of names) {
        raw.text(`40${name}${end}`);
        const refusal = await raw.nextText((packet) => packet.startsWith("44"));
        assert.equal(refusal, `44${name},{"message":"Invalid namespace"}`);
      }
      await assertContinues(raw);
    }
  });

  test(`a space is joined with and without a comma: Engine.IO ${version}`, async (t) => {
    const forms = version === 4 ? ["40/shop,{}"] : ["40/shop?a=b", "40/shop?a=b,", "40/shop?"];
    for (const packet of ["40/shop", "40/shop,", ...forms]) {
      const raw = await connect(t, version);
      raw.text(packet);
      await raw.nextText((it) => it.startsWith("40/shop,"));
      raw.text('42/shop,1["GroupList"]');
      await raw.nextText((it) => it.startsWith("43/shop,1["));
      raw.text("41/shop,");
      await assertContinues(raw);
    }
  });

  test(`an acknowledgement repeats its number: Engine.IO ${version}`, async (t) => {
    const raw = await connect(t, version);
    for (const [sent, answered] of [
      ["0", "0"],
      ["01", "1"],
      ["4294967296", "4294967296"],
      ["7 ", "7"],
      ["8\t\n ", "8"],
    ]) {
      raw.text(`42${sent}["GroupList"]`);
      await raw.nextText((packet) => packet.startsWith(`43${answered}[`));
    }
  });
}

for (const [name, packets] of Object.entries({
  "an event": ['42["x"]'],
  "an event with an acknowledgement": ['421["GroupList"]'],
  "an event to another space": ['42/shop,["x"]'],
  "an acknowledgement": ['431["x"]'],
  "a disconnect": ["41"],
  "a refusal": ['44{"message":"x"}'],
  bytes: [BYTES],
  "a header of attachments": ['450-["x"]'],
})) {
  test(`ends the session before CONNECT is answered: ${name}`, async (t) => {
    const raw = await open(t, 4);
    await send(raw, 4, packets);
    await raw.ended();
  });
}

test("nothing is handled after an event without a name", async (t) => {
  const room = unique("room");
  const bob = await joinAsGuest(t, socketIo("4.8", "websocket"), server, "bob", { room });
  const raw = await connect(t, 4);
  raw.text(`421["new user",${JSON.stringify(unique("ann"))}]`);
  await raw.nextText((packet) => packet.startsWith("431[true"));
  raw.text(`422["join",${JSON.stringify(room)}]`);
  await raw.nextText((packet) => packet.startsWith('432[{"ok":true'));
  const late = JSON.stringify(["send message", { room, msg: "late" }]);
  const frames = ["42[null]", `42${late}`].map((it) =>
    encodeFrame({ opcode: TEXT, payload: Buffer.from(it) }),
  );
  raw.write(Buffer.concat(frames));
  await raw.ended();
  assert.equal((await barrier(bob, room, bob)).seq, 1);
});

test("the query of a space is its `auth`, and a refusal is a text: Engine.IO 3", async (t) => {
  const raw = await connect(t, 3);
  raw.text("40/shop?token=x&a=b,");
  assert.equal(await raw.nextText(), '44/shop,"unauthorized"');
  raw.text("40/nope?a=b,");
  assert.equal(await raw.nextText(), '44/nope,{"message":"Invalid namespace"}');
  raw.text("40/shop?a=b,");
  assert.equal(await raw.nextText(), "40/shop,");
});

test("CONNECT has several forms", async (t) => {
  for (const packet of ["40", "40/", "40/,", "40{}", '40{"x":1}', "401"]) {
    const raw = await open(t, 4);
    raw.text(packet);
    const answer = await raw.nextText((it) => it.startsWith("40"));
    assert.match(answer, /^40\{"sid":"[\w-]{16,}"\}$/, packet);
    await assertContinues(raw);
  }
});

test("the first space may be another one than `/`", async (t) => {
  const raw = await open(t, 4);
  raw.text("40/shop,");
  assert.match(await raw.nextText((it) => it.startsWith("40")), /^40\/shop,\{"sid":/);
});

test("a pong that was not asked for changes nothing", async (t) => {
  const raw = await connect(t, 4);
  for (const packet of ["3", "3", "3x", "3probe"]) raw.text(packet);
  await assertContinues(raw);
});

test("a ping of a client of version 3 is answered at once", async (t) => {
  const raw = await connect(t, 3);
  for (const ping of ["2", "2x", "2probe"]) {
    raw.text(ping);
    assert.equal(await raw.nextText(), "3");
  }
});

test("a pong is allowed between a header and its attachment", async (t) => {
  const raw = await connect(t, 4);
  await send(raw, 4, [`451-["x",${PLACEHOLDER}]`, "3", BYTES]);
  await assertContinues(raw);
});

test("a WebSocket begins with the handshake, without upgrades", async (t) => {
  for (const version of [4, 3]) {
    const raw = await RawWebSocket.open(t, server, path(version));
    const first = await raw.nextText();
    assert.match(first, /^0\{/);
    const { sid, ...rest } = JSON.parse(first.slice(1));
    assert.match(sid, /^[\w-]{16,}$/);
    const [upgrades, pingInterval, pingTimeout, maxPayload] = [[], 25_000, 20_000, 4_194_304];
    assert.deepEqual(rest, { upgrades, pingInterval, pingTimeout, maxPayload });
  }
});

function path(version) {
  return `/socket.io/?EIO=${version}&transport=websocket`;
}

/** A session without a space. */
async function open(t, version) {
  const raw = await RawWebSocket.open(t, server, path(version));
  await raw.nextText((packet) => packet.startsWith("0"));
  return raw;
}

/** A session that is connected to `/`. */
async function connect(t, version) {
  const raw = await open(t, version);
  if (version === 4) raw.text("40");
  await raw.nextText((packet) => packet.startsWith("40"));
  return raw;
}

/** Sends texts, attachments and frames, and joins spaces. */
async function send(raw, version, packets) {
  for (const packet of packets) {
    if (typeof packet === "string") raw.text(packet);
    else if (packet.joins) {
      raw.text(packet.joins);
      await raw.nextText((it) => it.startsWith(packet.joins));
    } else if (packet.frames) raw.write(packet.frames);
    else {
      const payload = version === 3 ? Buffer.concat([Buffer.from([4]), packet]) : packet;
      raw.write(encodeFrame({ opcode: BINARY, payload }));
    }
  }
}

/** Two fragments of a text. */
function fragments(first, second) {
  const [begin, end] = [first, second].map((text) => Buffer.from(text));
  const frames = [
    encodeFrame({ opcode: TEXT, payload: begin, fin: false }),
    encodeFrame({ opcode: 0, payload: end }),
  ];
  return { frames: Buffer.concat(frames) };
}

async function assertContinues(raw) {
  raw.text('42999["GroupList"]');
  await raw.nextText((packet) => packet.startsWith("43999["));
}

function placeholder(number) {
  return `{"_placeholder":true,"num":${number}}`;
}
