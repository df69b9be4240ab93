// Two versions of Roomcast on one bus, and what is no language of any version.

import { test } from "node:test";

import { accepted } from "../support/assert.mjs";
import { clusterForThisTest } from "../support/cluster.mjs";
import { unique } from "../support/names.mjs";
import { enrol } from "../support/people.mjs";
import { plain } from "../support/ws.mjs";

/** What a message may need where its announcement was not understood. */
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

test("what nobody understands is nobody's news, and everybody goes on", async (t) => {
  const cluster = await clusterForThisTest(t, { nodes: 2 });
  const people = await pair(t, cluster);
  await talk(people);
  const channels = await cluster.redis.channels();
  for (const it of GARBAGE) {
    await Promise.all(channels.map((channel) => cluster.redis.command("PUBLISH", channel, it)));
    await talk(people);
  }
  await cluster.ready();
});

test("a node of a newer version and one of ours miss no message of each other", async (t) => {
  const options = { nodes: 2, links: true, translations: [newer] };
  const cluster = await clusterForThisTest(t, options);
  const people = await pair(t, cluster);
  for (let n = 0; n < 3; n += 1) await talk(people);
  await cluster.ready();
});

/** The bytes of a node as one of a newer version would write them. */
function newer(bytes) {
  const text = bytes.toString("latin1").replaceAll('{"v":1,', '{"v":2,');
  return Buffer.from(text, "latin1");
}

/** Two who are on two nodes, in one room. */
async function pair(t, { nodes }) {
  const room = unique("room");
  return [
    await enrol(t, plain, nodes[0], "ann", { room }),
    await enrol(t, plain, nodes[1], "bob", { room }),
  ];
}

/** Each says something in the room and to the other, and the other hears it. */
async function talk([ann, bob]) {
  for (const [speaker, hearer] of [
    [ann, bob],
    [bob, ann],
  ]) {
    const said = accepted(await speaker.ask("send message", "hello"));
    await hearer.next("new message", ({ id }) => id === said.id, LATE_MS_MAX);
    const direct = accepted(await speaker.ask("SingleChat", { to: hearer.name, data: "hello" }));
    await hearer.next("SingleChat", ({ id }) => id === direct.id, LATE_MS_MAX);
  }
}
