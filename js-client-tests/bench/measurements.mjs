// The measurements. Each starts with a fresh server and returns its figures.

import { roomcastNodes, singleNode, socketioNodes } from "./cluster.mjs";
import { measureNodes } from "./multi-node.mjs";
import { roomcast, socketio } from "./servers.mjs";
import {
  ALL,
  WITH_API,
  WITH_EVENTS,
  WITH_POLLING,
  WITH_ROOMS,
  WITH_WEBHOOKS,
} from "./subjects.mjs";
import { churn, enter, idle, reconnect } from "./works/connections.mjs";
import {
  attachments,
  fromManySenders,
  toLargeRoom,
  toPollingClients,
  toRoom,
  toSmallRooms,
} from "./works/delivery.mjs";
import { eventsToRoom } from "./works/events.mjs";
import { greatestRate, greatestRateOfEvents } from "./works/greatest-rate.mjs";
import { API_SETTINGS, publishes } from "./works/publishes.mjs";
import { answers, roundTrips, roundTripsWithWebhook } from "./works/requests.mjs";

const CPU = "µs CPU";
const MILLISECONDS = "ms, p50 / p99";
const LATENCY = { latency: { title: "latency", unit: MILLISECONDS } };

/** Files besides the sockets of clients. */
const FILES_OF_PROCESS = 200;

const ROUND_TRIP = "round trip, 64 clients, acknowledged";
const ROUND_TRIP_WITH_WEBHOOK = "round trip, 64 clients, with a webhook for messages";

/** Rules for events of the application. */
const EVENTS_TO_OTHERS = ['events=[{ name = "*", to = "others" }]'];
const EVENTS_TO_BACK_END = ['events=[{ name = "*", to = "backend" }]'];

/** Programs that the server calls. */
const BACK_END = {
  file: "back-end.mjs",
  setting: (url) => `backends=[{ name = "bench", url = "${url}" }]`,
};
const WEBHOOK_RECEIVER = {
  file: "webhook-receiver.mjs",
  setting: (url) => `webhooks=[{ name = "bench", url = "${url}", events = ["message.stored"] }]`,
};

/** A target for the ratio to the reference: Socket.IO first, then /ws. */
function ratioAtMost(roomcast, roomcastWs) {
  return { of: "ratio", sign: "≤", roomcast, roomcastWs };
}

function figureAtMost(roomcast, roomcastWs = roomcast) {
  return { of: "figure", sign: "≤", roomcast, roomcastWs };
}

function figureAtLeast(roomcast, roomcastWs) {
  return { of: "figure", sign: "≥", roomcast, roomcastWs };
}

/**
 * The measurements of one node, in the order of the report. `rows` has the further figures of a
 * measurement by the name that it gives them. The chart has the measurements with `charted`, whose
 * figure is better when it is smaller, or else `inverted`. `rounds` limits those that take minutes.
 */
export const MEASUREMENTS = [
  {
    name: "delivery to 500, 20 messages a second",
    unit: CPU,
    run: toRoom,
    subjects: ALL,
    target: ratioAtMost(0.52, 0.47),
    charted: "a delivery to 500",
    rows: LATENCY,
  },
  {
    name: ROUND_TRIP,
    unit: CPU,
    run: roundTrips,
    target: ratioAtMost(0.65, 0.6),
    charted: "an acknowledged round trip",
    rows: LATENCY,
  },
  {
    name: ROUND_TRIP_WITH_WEBHOOK,
    unit: CPU,
    run: roundTripsWithWebhook,
    subjects: WITH_WEBHOOKS,
    beside: WEBHOOK_RECEIVER,
    rows: { ...LATENCY, time: { title: "until the webhook was told of all", unit: "s" } },
  },
  {
    name: "delivery, 1,000 clients in rooms of 20, a message a second each",
    unit: CPU,
    run: toSmallRooms,
    target: ratioAtMost(0.65, 0.6),
    charted: "a delivery in rooms of 20",
    rows: LATENCY,
  },
  reconnecting(2000, { target: ratioAtMost(0.35, 0.22), charted: "a return, 2,000 at once" }),
  reconnecting(8000, { charted: "a return, 8,000 at once" }),
  reconnecting(19_000, { rounds: 1 }),
  {
    name: "greatest rate without a loss, 500 receivers",
    unit: "million a second",
    run: greatestRate,
    target: figureAtLeast(1.13, 1.56),
    charted: "greatest rate (inverse)",
    inverted: true,
  },
  {
    name: "greatest rate of events that pass by, 500 members",
    unit: "million a second",
    run: greatestRateOfEvents,
    subjects: WITH_EVENTS,
    settings: EVENTS_TO_OTHERS,
    charted: "greatest rate of events (inverse)",
    inverted: true,
  },
  {
    name: "150,000 deliveries a second from 50 senders",
    unit: CPU,
    run: fromManySenders,
    charted: "a delivery, 150,000 a second",
    rows: LATENCY,
  },
  {
    name: "delivery to 10,000, 2 messages a second",
    unit: CPU,
    run: toLargeRoom,
    charted: "a delivery to 10,000",
    rows: {
      "latency quiet": { title: "latency in a small room before", unit: MILLISECONDS },
      latency: { title: "latency in the small room meanwhile", unit: MILLISECONDS },
      relative: { title: "p99 to the one before", unit: "times", target: figureAtMost(2) },
    },
  },
  {
    name: "delivery of 64 KiB to 200, 10 a second",
    unit: CPU,
    run: attachments,
    charted: "a delivery of 64 KiB",
  },
  {
    name: "delivery over polling to 200, 20 messages a second",
    unit: CPU,
    run: toPollingClients,
    subjects: WITH_POLLING,
    target: ratioAtMost(0.4),
    charted: "a delivery over polling",
  },
  {
    name: "an event that passes by, to 500, 100 a second",
    unit: CPU,
    run: eventsToRoom,
    subjects: WITH_EVENTS,
    settings: EVENTS_TO_OTHERS,
    charted: "an event that passes by",
  },
  {
    name: "an event that a back end answers, 64 clients (Node: in the same process)",
    unit: CPU,
    run: answers,
    subjects: WITH_EVENTS,
    settings: EVENTS_TO_BACK_END,
    beside: BACK_END,
    rows: { rate: { title: "answers", unit: "a second" }, ...LATENCY },
  },
  {
    name: "a message over the HTTP API, 64 at once (Node: not on disk)",
    unit: CPU,
    run: publishes,
    subjects: WITH_API,
    settings: API_SETTINGS,
    rows: { rate: { title: "messages", unit: "a second" }, ...LATENCY },
  },
  {
    name: "idle connection",
    unit: "KiB",
    run: idle,
    subjects: ALL,
    target: figureAtMost(17, 6),
    charted: "an idle connection (memory)",
  },
  {
    name: "a user enters: connect, identify, join",
    unit: CPU,
    run: enter,
    target: ratioAtMost(0.4, 0.3),
    charted: "a user enters",
  },
  {
    name: "memory after 10,000 have left, the fifth time",
    unit: "MiB",
    run: churn,
    rounds: 1,
    secondsMax: 600,
    files: 10_000,
    rows: { relative: { title: "to the first time", unit: "times", target: figureAtMost(1.1) } },
  },
].map((measurement) => ({ subjects: WITH_ROOMS, rows: {}, files: 0, ...measurement }));

/**
 * Figures made of two others: how the cost of a return depends on the number of clients, and what a
 * webhook costs.
 */
export const QUOTIENTS = [
  ...[8000, 19_000].map((count) => ({
    name: `return of ${count.toLocaleString("en")}, to 2,000`,
    after: reconnectingName(count),
    below: reconnectingName(2000),
    unit: "times",
    target: figureAtMost(1.1),
  })),
  {
    name: "round trip with a webhook for messages, to one without",
    after: ROUND_TRIP_WITH_WEBHOOK,
    below: ROUND_TRIP,
    unit: "times",
  },
];

function reconnecting(count, more) {
  return {
    name: reconnectingName(count),
    unit: CPU,
    run: reconnect(count),
    files: count + FILES_OF_PROCESS,
    secondsMax: 300,
    rows: { time: { title: "until all are back", unit: "s" } },
    ...more,
  };
}

function reconnectingName(count) {
  return `return of ${count.toLocaleString("en")} at once, 20 missed messages each`;
}

/** The measurements of several nodes, for the second table. Each gives its rows names and units. */
export const NODES_MEASUREMENTS = [
  nodes(
    "nodes, 1 by itself",
    () => singleNode(socketio),
    () => singleNode(roomcast),
  ),
  ...[1, 2, 3].map((count) =>
    nodes(
      `nodes, ${count}`,
      () => socketioNodes(count),
      () => roomcastNodes(count),
    ),
  ),
];

function nodes(name, node, roomcast) {
  return { name, starts: { node, roomcast }, run: ({ server }) => measureNodes(server, name) };
}
