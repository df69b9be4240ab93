// Random arguments of events of the application, from each wire to each wire.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { readHistory } from "../support/history.mjs";
import { wsMsgpack } from "../support/msgpack.mjs";
import { Random } from "../support/random.mjs";
import { MSGPACK_SOCKET_IO, socketIo } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";
import { bodyCodec } from "./binary.mjs";

const SEEDS = [1, 2, 3];
const ROUNDS = 8;
const DEPTH_MAX = 4;
const ATTACHMENTS_MAX = 10;
const CLIENT_TYPES = [
  socketIo("4.8", "websocket"),
  socketIo("4.8", "polling"),
  socketIo("3.1", "upgrade"),
  socketIo("2.5", "websocket"),
  socketIo("2.3", "polling"),
  wsJson,
  wsMsgpack,
  ...MSGPACK_SOCKET_IO,
];

/** `server` has the settings `EVENT_SETTINGS`. */
export function argumentFidelity(server) {
  for (const seed of SEEDS) {
    test(`random arguments arrive as they were sent: seed ${seed}`, async (t) => {
      const random = new Random(seed);
      const room = unique("room");
      const clients = [];
      for (const clientType of CLIENT_TYPES) {
        const client = await joinAsGuest(t, clientType, server, "one", { room });
        clients.push({ client: client.listenTo("any:args", "keep"), ...bodyCodec(clientType) });
      }
      const kept = [];
      for (let n = 0; n < ROUNDS; n += 1) {
        for (const sender of clients) {
          const args = randomArguments(random);
          await relayed(clients, sender, "any:args", args);
          await relayed(clients, sender, "keep", args);
          kept.push(args);
        }
      }
      for (const { client, read } of clients) {
        const stored = (await readHistory(client, room)).map((entry) => entry.args.map(read));
        assert.deepEqual(stored, kept);
      }
    });
  }
}

/** Sends an event, and checks what its receivers receive. */
async function relayed(clients, sender, event, args) {
  assertOk(await sender.client.askWith(event, args.map(sender.write)));
  const isKept = event === "keep";
  for (const { client, read } of clients.filter((it) => isKept || it !== sender)) {
    const received = await client.next(event);
    const { length } = args;
    assert.deepEqual(received.slice(0, length).map(read), args);
    assert.equal(received.length, isKept ? length + 1 : length);
  }
}

/** Zero to ten arguments with at most ten byte strings. */
function randomArguments(random) {
  const left = { attachments: ATTACHMENTS_MAX };
  const any = (depth) => randomValue(random, depth, left);
  return Array.from({ length: random.below(11) }, () => any(DEPTH_MAX));
}

function randomValue(random, depth, left) {
  const kind = random.below(depth > 0 ? 9 : 6);
  const inside = () => randomValue(random, depth - 1, left);
  const count = random.below(4);
  switch (kind) {
    case 0:
      return null;
    case 1:
      return random.oneIn(2);
    case 2:
      return random.below(2 ** 31) - 2 ** 30;
    case 3:
      return random.below(2 ** 31) / 2 ** random.below(60);
    case 4:
      return randomText(random);
    case 5:
      if (left.attachments === 0) return "no more bytes";
      left.attachments -= 1;
      return Buffer.from(Array.from({ length: random.below(20) }, () => random.below(256)));
    case 6:
      return Array.from({ length: count }, inside);
    default:
      return Object.fromEntries(
        Array.from({ length: count }, (_, n) => [`${n}${randomText(random)}`, inside()]),
      );
  }
}

function randomText(random) {
  const letters = ["a", '"', "\\", "/", "\n", "\0", "\u2028", "ü", "語", "🎲", "</script>", "{}"];
  return Array.from({ length: random.below(5) }, () => random.pick(letters)).join("");
}
