// Messages that a back end publishes over HTTP.

import { createHash } from "node:crypto";
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import { connect, Tally } from "../client.mjs";
import { complete, Meter, SETTLE_MS, spread, TEXT } from "../load.mjs";

const KEY = "rcast_bench-0123456789";
const HASH = createHash("sha256").update(KEY).digest("hex");
export const API_SETTINGS = [
  `api_keys=[{ name = "bench", sha256 = "${HASH}", scopes = ["publish"] }]`,
];

const AT_ONCE = 64;
const EACH = 300;
/** Before the measurement: a new Node.js process compiles its code. */
const WARM_UP_EACH = 30;

/** 64 requests at once, each with a message to a room with one receiver. */
export async function publishes({ server, wire, ordered, api = false }) {
  const { port } = server;
  const tally = new Tally();
  const receiver = await connect({ port, wire, name: "receiver", tally });
  const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const options = {
    agent,
    port,
    host: "127.0.0.1",
    method: "POST",
    path: api ? "/api/v1/messages" : "/messages",
    headers: { "content-type": "application/json", authorization: `Bearer ${KEY}` },
  };
  await sleep(SETTLE_MS);
  await publishAll(options, WARM_UP_EACH);
  const meter = new Meter(server);
  const times = await publishAll(options, EACH);
  const { cpu, seconds, shares } = meter.stop();
  const all = AT_ONCE * (WARM_UP_EACH + EACH);
  await tally.reach(all);
  complete({ tally, clients: [receiver], ordered }, all);
  receiver.close();
  agent.destroy();
  return [
    { figure: (cpu / times.length) * 1e6, note: shares },
    { row: "rate", figure: Math.round(times.length / seconds), note: shares },
    { row: "latency", figure: spread(times), note: `p50 and p99 of ${times.length}` },
  ];
}

/** The time of each request, in milliseconds. */
async function publishAll(options, each) {
  const body = JSON.stringify({ user: "shop", items: [{ room: "lobby", msg: TEXT }] });
  const times = [];
  const publisher = async () => {
    for (let at = 0; at < each; at += 1) {
      const start = performance.now();
      const { results } = await post(options, body);
      if (results?.[0].ok !== true) throw new Error(JSON.stringify(results));
      times.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, publisher));
  return times;
}

function post(options, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(options, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.once("end", () => resolve(JSON.parse(Buffer.concat(chunks))));
    });
    request.once("error", reject);
    request.end(body);
  });
}
