// The thread of `observers.mjs`.

import { parentPort, workerData } from "node:worker_threads";

import { connect, Tally } from "./client.mjs";
import { now, offer, timeIn } from "./load.mjs";

const { port, wire, rooms } = workerData;
const tally = new Tally();
const times = [];

const observe = (bytes, start, end) => times.push(now() - timeIn(bytes, start, end));
const clients = await Promise.all(
  rooms.map((room, number) => {
    const auth = room === undefined ? {} : { room };
    return connect({ port, wire, name: `observer ${number}`, auth, tally, observe });
  }),
);

/** All observers are in one room. */
async function converse({ perSecond, seconds }) {
  const before = tally.messages;
  const { sent, acknowledged } = await offer(clients.slice(0, 1), perSecond, seconds);
  await acknowledged;
  await tally.reach(before + sent * clients.length);
}

async function latencies({ count }) {
  await tally.reach(count);
  if (tally.lost > 0) throw new Error(`${tally.lost} observers were cut off`);
  tally.messages -= count;
  return Float64Array.from(times.splice(0));
}

parentPort.on("message", async (request) => {
  const reply = request.perSecond ? await converse(request) : await latencies(request);
  parentPort.postMessage(reply);
});
parentPort.postMessage("ready");
