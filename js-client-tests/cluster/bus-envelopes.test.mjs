// Two versions of Roomcast on one bus, and envelopes that no version understands.

import { test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { clusterForThisTest } from "../support/cluster.mjs";
import { joinAsUser } from "../support/fixtures.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

/** The time that a message may take when its announcement was not understood. */
const LATE_MS_MAX = 5000;

const GARBAGE = [
  "",
  "x",
  "null",
  "{}",
  "[]",
  '{"v":1}',
  '{"v":"1","from":"other","n":1,"kind":"entry","data":{}}',
  '{"v":0,"from":"other","n":1,"kind":"entry","data":{}}',
  '{"v":1,"from":"","n":1,"kind":"entry","data":{}}',
  '{"v":1,"from":"other","n":-1,"kind":"entry","data":{}}',
  '{"v":1,"from":"other","n":18446744073709551615,"kind":"typing","data":{}}',
  '{"v":1,"from":"other","n":1,"kind":"entry","data":{"seq":1}}',
  '{"v":1,"from":"other","n":2,"kind":"news of another version","data":{}}',
  '{"v":2,"from":"other","n":3,"kind":"entry","data":"in another form"}',
  '{"v":2,"from":"other","n":4}',
  '{"v":99999999999999999999,"from":"other","n":5}',
  '{"v":1,"from":"other","n":6,"kind":"roster","data":{"place":{"room":""},"users":[]}}',
  "[".repeat(50_000),
  `{"v":2,"from":"other","n":7,"data":"${"x".repeat(50_000)}"}`,
  "\u{1f980}".repeat(100),
];

test("an envelope that no node understands has no effect", async (t) => {
  const cluster = await clusterForThisTest(t, { nodes: 2 });
  const clients = await pair(t, cluster);
  await exchangeMessages(clients);
  const channels = await cluster.redis.channels();
  for (const it of GARBAGE) {
    await Promise.all(channels.map((channel) => cluster.redis.command("PUBLISH", channel, it)));
    await exchangeMessages(clients);
  }
  await cluster.waitUntilReady();
});

test("a node of a newer version and one of this version miss no message of each other", async (t) => {
  const options = { nodes: 2, proxies: true, rewrites: [newer] };
  const cluster = await clusterForThisTest(t, options);
  const clients = await pair(t, cluster);
  for (let n = 0; n < 3; n += 1) await exchangeMessages(clients);
  await cluster.waitUntilReady();
});

/** Rewrites what a node sends into envelopes of a newer version. */
function newer(bytes) {
  const text = bytes.toString("latin1").replaceAll('{"v":1,', '{"v":2,');
  return Buffer.from(text, "latin1");
}

/** Two users in one room, on two nodes. */
async function pair(t, { nodes }) {
  const room = unique("room");
  return [
    await joinAsUser(t, wsJson, nodes[0], "ann", { room }),
    await joinAsUser(t, wsJson, nodes[1], "bob", { room }),
  ];
}

/** Each user posts to the room and to the other, who receives both. */
async function exchangeMessages([ann, bob]) {
  for (const [sender, receiver] of [
    [ann, bob],
    [bob, ann],
  ]) {
    const sent = assertOk(await sender.ask("send message", "hello"));
    await receiver.next("new message", ({ id }) => id === sent.id, LATE_MS_MAX);
    const direct = assertOk(await sender.ask("SingleChat", { to: receiver.name, data: "hello" }));
    await receiver.next("SingleChat", ({ id }) => id === direct.id, LATE_MS_MAX);
  }
}
