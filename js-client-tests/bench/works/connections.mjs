// Clients that connect, reconnect, stay silent and disconnect.

import { setTimeout as sleep } from "node:timers/promises";

import { connect, connectAll } from "../client.mjs";
import { CONNECTING_MAX, closeAll, Meter, SETTLE_MS, TEXT } from "../load.mjs";

/** Before the measurement: a new Node.js process compiles its code. */
const WARM_UP = 1000;
const ENTERING = 2000;
const ROOM_MEMBERS = 20;

const MISSED = 20;
/** Thousands at once keep the generator busy for longer than a server waits for a handshake. */
const ATTEMPTS_MAX = 5;
const RETRY_MS = 1000;

const IDLE_CLIENTS = 2000;

const CHURNING = 10_000;
const CHURN_CYCLES = 5;
const MANY_CONNECTING_MAX = 200;
/** Longer than a user stays in a room after the disconnect (`presence_grace_ms`). */
const GONE_MS = 8000;

/** Users connect, identify and join rooms of 20, 50 users at a time. */
export async function enter({ server, wire }) {
  const { port } = server;
  const make = (number) => {
    const auth = { room: `r${Math.floor(number / ROOM_MEMBERS)}` };
    return { port, wire, name: `n${number}`, auth };
  };
  const first = await connectAll(WARM_UP, CONNECTING_MAX, make);
  const meter = new Meter(server);
  const others = await connectAll(ENTERING, CONNECTING_MAX, (number) => make(WARM_UP + number));
  const { cpu, seconds, shares } = meter.stop();
  closeAll([...first, ...others]);
  const rate = Math.round(ENTERING / seconds);
  return { figure: (cpu / ENTERING) * 1e6, note: `${rate} per s, ${shares}` };
}

/** `count` clients of one room reconnect at the same moment and recover what they missed. */
export function reconnect(count) {
  return async ({ server, wire }) => {
    const { port } = server;
    const make = (number) => ({ port, wire, name: `n${number}` });
    const gone = await connectAll(count, MANY_CONNECTING_MAX, make);
    const sender = await connect({ port, wire, name: "sender" });
    const [[first]] = await Promise.all(sender.askAll("send message", [TEXT]));
    const tokens = gone.map((client) => client.token);
    closeAll(gone);
    await sleep(SETTLE_MS);
    await Promise.all(sender.askAll("send message", Array(MISSED).fill(TEXT)));
    await sleep(SETTLE_MS);
    const meter = new Meter(server);
    const since = { lobby: first.seq };
    let refused = 0;
    const back = await Promise.all(
      tokens.map(async (token, number) => {
        const options = { port, wire, name: `n${number}`, auth: { token, since } };
        const client = await connectAtLast(options, () => (refused += 1));
        await client.recovered;
        return client;
      }),
    );
    const { cpu, seconds, shares } = meter.stop();
    closeAll([...back, sender]);
    const isRight = ({ seq }, at) => seq === first.seq + 1 + at;
    if (!back.every(({ missed }) => missed.length === MISSED && missed.every(isRight))) {
      throw new Error("a message was lost");
    }
    return [
      { figure: (cpu / count) * 1e6, note: `${refused} attempts failed, ${shares}` },
      { row: "time", figure: seconds, note: "until all have recovered" },
    ];
  };
}

/** Connects like an official client, which tries again after a failed handshake. */
async function connectAtLast(options, onFailure) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await connect(options);
    } catch (error) {
      if (attempt === ATTEMPTS_MAX) throw error;
      onFailure();
      await sleep(RETRY_MS);
    }
  }
}

/** The memory of an idle connection. */
export async function idle({ server, wire }) {
  const make = (number) => ({ port: server.port, wire, name: `n${number}` });
  const first = await connectAll(CONNECTING_MAX, CONNECTING_MAX, make);
  await sleep(SETTLE_MS);
  const before = await server.rssKib();
  const others = await connectAll(IDLE_CLIENTS - CONNECTING_MAX, CONNECTING_MAX, (number) =>
    make(number + CONNECTING_MAX),
  );
  await sleep(SETTLE_MS);
  const after = await server.rssKib();
  closeAll([...first, ...others]);
  const note = `${before} KiB before, ${after} KiB after`;
  return { figure: (after - before) / others.length, note };
}

/** The memory after 10,000 clients have left, five times. They connect again with their tokens. */
export async function churn({ server, wire }) {
  const [plateaus, tokens] = [[], []];
  for (let cycle = 0; cycle < CHURN_CYCLES; cycle += 1) {
    const clients = await connectAll(CHURNING, MANY_CONNECTING_MAX, (number) => {
      const room = `r${Math.floor(number / ROOM_MEMBERS)}`;
      const auth = cycle === 0 ? { room } : { room, token: tokens[number] };
      return { port: server.port, wire, name: `n${number}`, auth };
    });
    if (cycle === 0) tokens.push(...clients.map((client) => client.token));
    closeAll(clients);
    await sleep(GONE_MS);
    plateaus.push((await server.rssKib()) / 1024);
  }
  const note = `MiB after each: ${plateaus.map((it) => it.toFixed(1)).join(", ")}`;
  return [
    { figure: plateaus.at(-1), note },
    { row: "relative", figure: plateaus.at(-1) / plateaus[0], note: "the fifth to the first" },
  ];
}
