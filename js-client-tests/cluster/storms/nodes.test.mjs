// Nodes die, and nodes are replaced one after the other, while everybody talks.

import { test } from "node:test";

import { storm } from "../../support/storm.mjs";

test("a node is killed, and comes back", (t) =>
  storm(t, {}, async ({ cluster, crowd }) => {
    const [node] = cluster.nodes;
    const there = crowd.on(node).slice(1);
    await node.kill9();
    for (const it of there.slice(0, 3)) it.leave(); // these were lost with it
    await crowd.progress(500);
    await node.start();
    await cluster.ready([node]);
  }));

test("a node is killed and is back at once, before anybody noticed", (t) =>
  storm(t, {}, async ({ cluster, crowd }) => {
    for (const node of cluster.nodes) {
      await node.kill9();
      await node.start();
      await cluster.ready([node]);
      await crowd.progress(150);
    }
  }));

test("all nodes are replaced, one after the other", (t) =>
  storm(t, {}, async ({ cluster, crowd }) => {
    for (const node of cluster.nodes) {
      await node.restart();
      await cluster.ready([node]);
      await crowd.progress(150);
    }
  }));

test("the clocks of the nodes are far apart", (t) =>
  storm(t, { clocks: [undefined, "+10s", "-10s"] }, async ({ cluster, crowd }) => {
    await crowd.progress(300);
    const node = cluster.nodes[1];
    await node.restart();
    await cluster.ready([node]);
    await crowd.progress(300);
  }));
