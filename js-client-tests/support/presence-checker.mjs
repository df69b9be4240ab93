// Who is here, by each node's word, by each client's ears, and in truth.

import { isDeepStrictEqual } from "node:util";

import { waitUntil } from "./wait-until.mjs";
import { wsJson } from "./ws.mjs";

/** How long a node that died may be believed to live: its lease, and the grace of its users. */
const CONVERGENCE_MS_MAX = 25_000;

/** The grace of somebody who lost their connection, less what a message needs. */
const GRACE_MS = 4500;

/** Waits until every node and everybody here knows who is here. */
export async function checkPresence(load, nodes) {
  for (const node of nodes) await waitForNode(load, node);
  let problems = [];
  const allClientsAgree = () => {
    problems = load.running.flatMap((it) => clientErrors(it, load));
    return problems.length === 0;
  };
  try {
    await load.until("everybody to know who is here", allClientsAgree, CONVERGENCE_MS_MAX);
  } catch {
    return problems;
  }
  return [];
}

/** Asks a node again and again who is here, until it is right. */
async function waitForNode(load, node) {
  const [reader] = load.clients;
  const client = await (await wsJson.connect(node, { token: reader.token })).waitForWelcome();
  let problems = [];
  const isRight = async () => {
    problems = await nodeErrors(client, load);
    return problems.length === 0;
  };
  try {
    await waitUntil("a node to know who is here", isRight, CONVERGENCE_MS_MAX);
  } catch {
    throw new Error(`node ${node.port} does not know who is here: ${problems.join("; ")}`);
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
  const isHere = new Map(load.clients.map((it) => [it.name, !it.isStopped]));
  for (const { user, online, devices } of users) {
    const is = isHere.get(user);
    if (online !== is || devices !== (is ? 1 : 0)) {
      problems.push(`${user} is ${online ? "online" : "away"} with ${devices} devices`);
    }
  }
  return problems;
}

/** What somebody here believes, from what they were told on their connection of now. */
function clientErrors(person, load) {
  const { list, presence } = person.connection;
  const problems = [];
  const commonRoom = load.in(load.commonRoom);
  if (!same(list ?? [], commonRoom))
    problems.push(`${person.name} lists ${difference(list ?? [], commonRoom)}`);
  const last = new Map(presence.map((it) => [`${it.room} ${it.user}`, it]));
  const stopped = new Set(load.clients.filter((it) => it.isStopped).map(({ name }) => name));
  for (const { event, room, user } of last.values()) {
    if ((event === "user left") !== stopped.has(user)) {
      problems.push(`${person.name} heard last in ${room}: ${event} ${user}`);
    }
  }
  return problems;
}

/** Everybody heard of everybody's going once, and of nobody's who stayed, unless some `flap`. */
export function checkLeaveEvents(load, { allowFlapping = false } = {}) {
  const problems = [];
  for (const watcher of load.clients) {
    for (const [n, connection] of watcher.connections.entries()) {
      for (const [key, events] of byUserAndRoom(connection.presence)) {
        const repeat = events.some((it, at) => it === events[at - 1]);
        if (repeat) problems.push(`${watcher.name} (${n}) heard of ${key}: ${events}`);
      }
    }
    if (!watcher.isStopped) problems.push(...missingLeaves(watcher, load));
    if (!allowFlapping) problems.push(...falseLeaves(watcher, load));
  }
  return problems;
}

/** Whose going somebody did not hear of who was here all the time. */
function missingLeaves({ name, rooms, connection }, load) {
  const received = byUserAndRoom(connection.presence);
  const stopped = load.clients.filter((it) => it.isStopped && connection.from < it.stoppedAt);
  const expected = stopped.flatMap((it) => {
    return it.rooms.filter((room) => rooms.includes(room)).map((room) => `${it.name} ${room}`);
  });
  return expected
    .filter((key) => received.get(key)?.at(-1) !== "user left")
    .map((key) => `${name} was not told that ${key} has ended`);
}

/** Whose going somebody heard of although they were here all the time. */
function falseLeaves({ name, connections }, load) {
  const kept = load.running.filter(({ longestDisconnectedMs }) => longestDisconnectedMs < GRACE_MS);
  const expected = new Set(kept.map((it) => it.name));
  return connections
    .flatMap(({ presence }) => presence)
    .filter(({ event, user }) => event === "user left" && expected.has(user))
    .map(({ user, room }) => `${name} was told that ${user} left ${room}, who never did`);
}

/** The events of each user in each room, in order. */
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
  return `ghosts [${ghosts}], missing [${missing}]`;
}
