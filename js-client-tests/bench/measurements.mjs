// The measurements. Each starts with a fresh server and returns its figures.

import { setTimeout as sleep } from "node:timers/promises";

import { connect, connectAll, Tally } from "./client.mjs";
import { roomcastNodes, singleNode, socketioNodes } from "./cluster.mjs";
import {
  CONNECTING_MAX,
  FLOOD_SECONDS,
  MESSAGES_PER_SECOND,
  SETTLE_MS,
  TEXT,
  WINDOW,
  WINDOWS_BEHIND_MAX,
} from "./load.mjs";
import { measureNodes } from "./multi-node.mjs";
import { SERVERS } from "./servers.mjs";

const RECEIVERS = 500;
const POLLING_RECEIVERS = 200;
const PACED_SECONDS = 10;

const SENDERS = 64;
const ROUND_TRIPS_EACH = 300;

const RECONNECTING = 2000;
const MISSED = 20;

const IDLE_CLIENTS = 2000;

/** All measurements, in the order of the report; `target` is for the ratio, or in `unit`. */
export const MEASUREMENTS = [
  measurement("delivery, Socket.IO", "µs CPU", paced("socketio", RECEIVERS), "socketio", "≤ 0.70"),
  measurement("delivery, /ws", "µs CPU", paced("ws", RECEIVERS), "ws", ""),
  measurement("acknowledged round trip", "µs CPU", roundTrips, "socketio", "≤ 0.45"),
  measurement("deliveries, as fast as can be", "per s", flood, "socketio", "≥ 6"),
  measurement("reconnect, all at once", "ms CPU", reconnectAll, "socketio", "≤ 0.15"),
  measurement(
    "delivery, polling",
    "µs CPU",
    paced("polling", POLLING_RECEIVERS),
    "socketio",
    "≤ 0.42",
  ),
  measurement("idle, Socket.IO", "KiB", idle("socketio"), "socketio", "≤ 16 KiB"),
  measurement("idle, /ws", "KiB", idle("ws"), "ws", "≤ 8 KiB"),
  nodesMeasurement("nodes, 1 by itself", {
    node: () => singleNode(SERVERS.socketio),
    roomcast: () => singleNode(SERVERS.roomcast),
  }),
  ...[1, 2, 3].map((count) =>
    nodesMeasurement(`nodes, ${count}`, {
      node: () => socketioNodes(count),
      roomcast: () => roomcastNodes(count),
    }),
  ),
];

/** Figures of Roomcast that are also compared with Node's figure of another measurement. */
export const CROSS_COMPARISONS = [
  { ours: "delivery, /ws", theirs: "delivery, Socket.IO", target: "≤ 0.45" },
];

function measurement(name, unit, run, against, target) {
  return { name, unit, run, kinds: { node: SERVERS[against], roomcast: SERVERS.roomcast }, target };
}

/** Finds several figures, each with its own unit. */
function nodesMeasurement(name, kinds) {
  return { name, run: (servers) => measureNodes(servers, name), kinds, target: "" };
}

/** One sender at a steady rate, many receivers: processor time of the server per delivery. */
function paced(wire, receivers) {
  return async (server) => {
    const { tally, sender, clients } = await room(server, wire, receivers);
    const count = MESSAGES_PER_SECOND * PACED_SECONDS;
    const before = server.cpu();
    const answers = [];
    for (let at = 0; at < count; at += 1) {
      const next = sleep(1000 / MESSAGES_PER_SECOND);
      answers.push(sender.ask("send message", TEXT));
      await next;
    }
    await Promise.all(answers);
    const deliveries = count * (receivers + 1);
    await tally.reach(deliveries);
    const cpu = server.cpu() - before;
    complete(tally, clients, count);
    return { figure: (cpu / deliveries) * 1e6, note: `${cpu.toFixed(2)} s for ${deliveries}` };
  };
}

/** Each client alone in a room, the next message after the last acknowledgement. */
async function roundTrips(server) {
  const wire = "socketio";
  const make = (number) => {
    return { port: server.port, wire, name: `n${number}`, auth: { room: `r${number}` } };
  };
  const clients = await connectAll(SENDERS, CONNECTING_MAX, make);
  await sleep(SETTLE_MS);
  const before = server.cpu();
  const start = performance.now();
  await Promise.all(
    clients.map(async (client) => {
      for (let at = 0; at < ROUND_TRIPS_EACH; at += 1) {
        const [answer] = await client.ask("GroupChat", TEXT);
        if (answer.ok !== true) throw new Error(JSON.stringify(answer));
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  const trips = SENDERS * ROUND_TRIPS_EACH;
  const figure = ((server.cpu() - before) / trips) * 1e6;
  closeAll(clients);
  return { figure, note: `${Math.round(trips / seconds)} per s` };
}

/** Windows of messages, the next one after the acknowledgements of the last one. */
async function flood(server) {
  const { tally, sender, clients } = await room(server, "socketio", RECEIVERS);
  const listeners = RECEIVERS + 1;
  const before = server.cpu();
  const start = performance.now();
  let sent = 0;
  while (performance.now() - start < FLOOD_SECONDS * 1000) {
    const answers = await Promise.all(sender.askAll("send message", Array(WINDOW).fill(TEXT)));
    if (!answers.every(([answer]) => answer.ok)) throw new Error(JSON.stringify(answers));
    sent += WINDOW;
    await tally.reach((sent - WINDOW * WINDOWS_BEHIND_MAX) * listeners);
  }
  await tally.reach(sent * listeners);
  const seconds = (performance.now() - start) / 1000;
  const cpu = server.cpu() - before;
  complete(tally, clients, sent);
  const each = (cpu / (sent * listeners)) * 1e6;
  const busy = Math.round((cpu / seconds) * 100);
  return {
    figure: (sent * listeners) / seconds,
    note: `${each.toFixed(2)} µs CPU each, ${busy} % of a core`,
  };
}

/** All clients reconnect at the same moment and recover what they missed. */
async function reconnectAll(server) {
  const { port } = server;
  const wire = "socketio";
  const gone = await connectAll(RECONNECTING, CONNECTING_MAX, (number) => ({
    port,
    wire,
    name: `n${number}`,
  }));
  const sender = await connect({ port, wire, name: "sender" });
  const [[first]] = await Promise.all(sender.askAll("send message", [TEXT]));
  const tokens = gone.map((client) => client.token);
  closeAll(gone);
  await sleep(SETTLE_MS);
  await Promise.all(sender.askAll("send message", Array(MISSED).fill(TEXT)));
  await sleep(SETTLE_MS);
  const before = server.cpu();
  const start = performance.now();
  const since = { lobby: first.seq };
  const back = await Promise.all(
    tokens.map(async (token, number) => {
      const client = await connect({ port, wire, name: `n${number}`, auth: { token, since } });
      await client.recovered;
      return client;
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  const figure = (server.cpu() - before) * 1000;
  for (const { missed } of back) {
    const right = missed.every((message, at) => message.seq === first.seq + 1 + at);
    if (missed.length !== MISSED || !right) throw new Error("a message was lost");
  }
  closeAll([...back, sender]);
  return { figure, note: `all clients are back after ${Math.round(seconds * 1000)} ms` };
}

/** The memory of an idle connection. */
function idle(wire) {
  return async (server) => {
    const { port } = server;
    const make = (number) => ({ port, wire, name: `n${number}` });
    const first = await connectAll(CONNECTING_MAX, CONNECTING_MAX, make);
    await sleep(SETTLE_MS);
    const before = await server.rssKib();
    const others = await connectAll(IDLE_CLIENTS - CONNECTING_MAX, CONNECTING_MAX, (number) =>
      make(number + CONNECTING_MAX),
    );
    await sleep(SETTLE_MS);
    const after = await server.rssKib();
    closeAll([...first, ...others]);
    return {
      figure: (after - before) / others.length,
      note: `${before} KiB before, ${after} KiB after`,
    };
  };
}

/** A sender and many receivers in the lobby, settled. The sender receives its own messages, too. */
async function room(server, wire, receivers) {
  const { port } = server;
  const tally = new Tally();
  const make = (number) => ({ port, wire, name: `n${number}`, tally });
  const clients = await connectAll(receivers, CONNECTING_MAX, make);
  // Over polling, a request waits for the pending poll: so the sender has a WebSocket.
  const senderWire = wire === "polling" ? "socketio" : wire;
  const sender = await connect({ port, wire: senderWire, name: "sender", tally });
  clients.push(sender);
  await sleep(SETTLE_MS);
  return { tally, sender, clients };
}

/** All clients have received everything, in order, and are still connected. */
function complete(tally, clients, count) {
  const behind = clients.filter((client) => client.last !== count).length;
  closeAll(clients);
  const { disorder, lost } = tally;
  if (behind + disorder + lost === 0) return;
  throw new Error(`${behind} are behind, ${disorder} messages out of order, ${lost} were cut off`);
}

function closeAll(clients) {
  for (const client of clients) client.close();
}
