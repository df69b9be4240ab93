// Compares what every load client sent, got acknowledged and received with what is stored, and
// lists each violation of a delivery guarantee.

import { isDeepStrictEqual } from "node:util";

import { readDirectHistory, readHistory } from "./history.mjs";
import { wsJson } from "./ws.mjs";

/** The event that each request becomes. */
const RECEIVED_AS = {
  "send message": "new message",
  GroupChat: "GroupChat",
  SingleChat: "SingleChat",
};

/** All violations, one line each. `load` has drained. */
export async function checkDelivery(load, nodes) {
  const problems = load.clients.flatMap((it) => it.violations.map((what) => `${it.name}: ${what}`));
  const logs = await readLogs(load, nodes, problems);
  for (const it of load.clients) {
    checkSent(it, logs, problems);
    checkOrder(it, problems);
    for (const room of it.rooms) checkRoom(it, room, logs.get(room), problems);
  }
  await checkDirects(load, problems);
  return problems;
}

/** The logs of all rooms; every node returns the same log, without a gap. */
async function readLogs(load, nodes, problems) {
  const logs = new Map();
  const [firstClient] = load.clients;
  for (const node of nodes) {
    const client = await (
      await wsJson.connect(node, { token: firstClient.token })
    ).waitForWelcome();
    for (const room of load.rooms) {
      const log = await readHistory(client, room);
      checkSeqs(log, (what) => problems.push(`${room}: ${what}`));
      if (!logs.has(room)) logs.set(room, log);
      else if (!isDeepStrictEqual(logs.get(room), log)) problems.push(`${room}: nodes differ`);
    }
    client.close();
  }
  return logs;
}

/** A log has no gap. */
function checkSeqs(log, report) {
  for (const [at, { seq }] of log.entries()) {
    if (seq !== at + 1) report(`${seq} at ${at + 1}`);
  }
}

/**
 * Acknowledged messages are stored once, at the acknowledged position, and nothing else is stored.
 */
function checkSent({ name, sent }, logs, problems) {
  for (const [room, log] of logs) {
    const places = new Map(sent.filter((it) => it.place === room).map((it) => [it.id, it]));
    const stored = log.filter((it) => (it.username ?? it.user) === name);
    const ids = new Set(stored.map(({ id }) => id));
    if (ids.size !== stored.length) problems.push(`${name}: a message is stored twice in ${room}`);
    for (const it of stored) if (!places.has(it.id)) problems.push(`${name} never sent ${it.id}`);
    for (const it of places.values()) compare(it, log[(it.answer?.seq ?? 0) - 1], problems);
  }
}

/** Compares an acknowledgement with the entry at its position. */
function compare({ id, event, data, answer }, entry, problems) {
  if (answer === undefined) return;
  const body = data.msg ?? data.data;
  const isSame =
    entry?.id === id
    && entry.event === RECEIVED_AS[event]
    && entry.at === answer.at
    && isDeepStrictEqual(entry.msg ?? entry.data, body);
  if (!isSame) problems.push(`${id} is not at ${answer.seq}, as acknowledged at ${answer.at}`);
}

/** What one connection sent at the first attempt is stored in the order in which it was sent. */
function checkOrder({ name, sent }, problems) {
  const last = new Map();
  for (const { place, tries, answer, answeredOn } of sent) {
    if (tries !== 1 || answer === undefined) continue;
    const before = last.get(place);
    if (before?.answeredOn === answeredOn && answer.seq < before.answer.seq) {
      problems.push(`${name}: ${answer.id} is stored before ${before.answer.id} in ${place}`);
    }
    last.set(place, { answer, answeredOn });
  }
}

/** Every client received the whole log: on each connection everything after `since`, in order. */
function checkRoom(client, room, log, problems) {
  const { name, sent, connections } = client;
  const own = sent.filter((it) => it.event === "GroupChat" && it.place === room && it.answer);
  const known = new Set(own.map(({ answer }) => answer.seq));
  const report = (what) =>
    problems.push(`${name} (${client.clientType.label}) in ${room}: ${what}`);
  for (const [n, connection] of connections.entries()) {
    let last = connection.since[room];
    for (const message of connection.received[room]) {
      const { seq, isLive, ...entry } = message;
      if (seq <= last) report(`connection ${n} received ${seq} after ${last}`);
      for (let hole = last + 1; hole < seq; hole += 1) {
        if (!known.has(hole))
          report(`connection ${n} received ${seq} after ${last}, without ${hole}`);
      }
      if (!isDeepStrictEqual({ seq, ...entry }, log[seq - 1]))
        report(`${seq} differs from the stored entry`);
      if (isLive && own.some((it) => it.id === message.id && isSentOn(it, connection))) {
        report(`${seq} was delivered to the connection that had sent it`);
      }
      last = seq;
    }
  }
  if (client.isStopped) return;
  const received = connections.flatMap((it) => it.received[room].map(({ seq }) => seq));
  const all = new Set([...known, ...received]);
  for (const { seq, id } of log) if (!all.has(seq)) report(`${seq} (${id}) was never received`);
}

function isSentOn({ tries, answeredOn }, connection) {
  return tries === 1 && answeredOn === connection;
}

/** Both users of a pair have the same log, and received every entry while they were connected. */
async function checkDirects(load, problems) {
  const logs = new Map();
  for (const client of load.running) {
    const others = new Set(client.connections.flatMap((it) => [...it.directs.keys()]));
    for (const other of others) {
      const log = await readDirectHistory(client, other);
      const pair = [client.name, other].sort().join(" ");
      if (!logs.has(pair)) logs.set(pair, log);
      else if (!isDeepStrictEqual(logs.get(pair), log))
        problems.push(`${pair}: the two users have different logs`);
      checkPair(client, other, log, problems);
    }
  }
}

function checkPair(client, other, log, problems) {
  const report = (what) => problems.push(`${client.name} with ${other}: ${what}`);
  checkSeqs(log, report);
  const own = client.sent.filter((it) => it.place === other);
  for (const it of own) compare(it, log[(it.answer?.seq ?? 0) - 1], problems);
  const known = new Set(own.map(({ answer }) => answer.seq));
  for (const [n, connection] of client.connections.entries()) {
    const { since = 0, received = [] } = connection.directs.get(other) ?? {};
    const isCurrent = connection === client.connection;
    let last = since;
    for (const { seq } of [...received, ...(isCurrent ? [{ seq: log.length + 1 }] : [])]) {
      if (seq <= last) report(`connection ${n} received ${seq} after ${last}`);
      for (let hole = last + 1; hole < seq; hole += 1) {
        if (!known.has(hole))
          report(`connection ${n} received ${seq} after ${last}, without ${hole}`);
      }
      last = seq;
    }
  }
}
