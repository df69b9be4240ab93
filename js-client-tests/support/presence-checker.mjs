// Compares the presence that each node reports and each client received with the actual
// connections.

import { isDeepStrictEqual } from "node:util";

import { waitUntil } from "./wait-until.mjs";
import { wsJson } from "./ws.mjs";

/**
 * How long presence may be wrong after a node died: its lease and the grace period of its users.
 */
const CONVERGENCE_MS_MAX = 25_000;

/** The grace period after a lost connection, minus the time that a message takes. */
const GRACE_MS = 4500;

/** Waits until every node and every running client agree on who is online. */
export async function checkPresence(load, nodes) {
  for (const node of nodes) await waitForNode(load, node);
  let problems = [];
  const allClientsAgree = () => {
    problems = load.running.flatMap((it) => clientErrors(it, load));
    return problems.length === 0;
  };
  try {
    await load.until("all clients to agree on who is online", allClientsAgree, CONVERGENCE_MS_MAX);
  } catch {
    return problems;
  }
  return [];
}

/** Polls the presence of a node until it is right. */
async function waitForNode(load, node) {
  const [firstClient] = load.clients;
  const client = await (await wsJson.connect(node, { token: firstClient.token })).waitForWelcome();
  let problems = [];
  const isRight = async () => {
    problems = await nodeErrors(client, load);
    return problems.length === 0;
  };
  try {
    await waitUntil("the presence of a node to be right", isRight, CONVERGENCE_MS_MAX);
  } catch {
    throw new Error(`node ${node.port} reports wrong presence: ${problems.join("; ")}`);
  } finally {
    client.close();
  }
}

async function nodeErrors(client, load) {
  const problems = [];
  for (const room of load.rooms) {
    const { users, count } = await client.ask("GroupList", { room });
    const expected = load.in(room);
    if (!same(users, expected)) problems.push(`${room}: ${difference(users, expected)}`);
    if (count !== expected.length) problems.push(`${room}: counts ${count} of ${expected.length}`);
  }
  const [, ...others] = load.clients;
  const { users } = await client.ask("presence", { users: others.map(({ name }) => name) });
  const isOnline = new Map(load.clients.map((it) => [it.name, !it.isStopped]));
  for (const { user, online, devices } of users) {
    const is = isOnline.get(user);
    if (online !== is || devices !== (is ? 1 : 0)) {
      problems.push(`${user} is ${online ? "online" : "offline"} with ${devices} devices`);
    }
  }
  return problems;
}

/** What a client got wrong, from the events of its current connection. */
function clientErrors(client, load) {
  const { list, presence } = client.connection;
  const problems = [];
  const commonRoom = load.in(load.commonRoom);
  if (!same(list ?? [], commonRoom))
    problems.push(`${client.name} lists ${difference(list ?? [], commonRoom)}`);
  const last = new Map(presence.map((it) => [`${it.room} ${it.user}`, it]));
  const stopped = new Set(load.clients.filter((it) => it.isStopped).map(({ name }) => name));
  for (const { event, room, user } of last.values()) {
    if ((event === "user left") !== stopped.has(user)) {
      problems.push(`${client.name} received last in ${room}: ${event} ${user}`);
    }
  }
  return problems;
}

/**
 * Every client received `user left` once for each stopped client, and none for a running one,
 * unless `allowFlapping`.
 */
export function checkLeaveEvents(load, { allowFlapping = false } = {}) {
  const problems = [];
  for (const watcher of load.clients) {
    for (const [n, connection] of watcher.connections.entries()) {
      for (const [key, events] of byUserAndRoom(connection.presence)) {
        const repeat = events.some((it, at) => it === events[at - 1]);
        if (repeat) problems.push(`${watcher.name} (${n}) received for ${key}: ${events}`);
      }
    }
    if (!watcher.isStopped) problems.push(...missingLeaves(watcher, load));
    if (!allowFlapping) problems.push(...falseLeaves(watcher, load));
  }
  return problems;
}

/** Stopped clients for which a client that was connected all the time received no `user left`. */
function missingLeaves({ name, rooms, connection }, load) {
  const received = byUserAndRoom(connection.presence);
  const stopped = load.clients.filter((it) => it.isStopped && connection.from < it.stoppedAt);
  const expected = stopped.flatMap((it) => {
    return it.rooms.filter((room) => rooms.includes(room)).map((room) => `${it.name} ${room}`);
  });
  return expected
    .filter((key) => received.get(key)?.at(-1) !== "user left")
    .map((key) => `${name} received no "user left" for ${key}`);
}

/** Clients for which a client received `user left` although they were connected all the time. */
function falseLeaves({ name, connections }, load) {
  const kept = load.running.filter(({ longestDisconnectedMs }) => longestDisconnectedMs < GRACE_MS);
  const expected = new Set(kept.map((it) => it.name));
  return connections
    .flatMap(({ presence }) => presence)
    .filter(({ event, user }) => event === "user left" && expected.has(user))
    .map(
      ({ user, room }) => `${name} received "user left" for ${user} in ${room}, who was connected`,
    );
}

/** The events per user and room, in order. */
function byUserAndRoom(presence) {
  const all = new Map();
  for (const { event, user, room } of presence) {
    const key = `${user} ${room}`;
    all.set(key, [...(all.get(key) ?? []), event]);
  }
  return all;
}

function same(names, clients) {
  return isDeepStrictEqual([...names].sort(), clients.map(({ name }) => name).sort());
}

function difference(names, clients) {
  const expected = new Set(clients.map(({ name }) => name));
  const ghosts = names.filter((it) => !expected.has(it));
  const missing = [...expected].filter((it) => !names.includes(it));
  return `extra [${ghosts}], missing [${missing}]`;
}
