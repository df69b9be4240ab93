// Nodes are killed, and nodes are replaced one after the other, under load.

import { test } from "node:test";

import { runWithFault } from "../../support/fault-injection.mjs";

test("a node is killed, and restarts later", (t) =>
  runWithFault(t, {}, async ({ cluster, load }) => {
    const [node] = cluster.nodes;
    const there = load.on(node).slice(1);
    await node.kill9();
    for (const it of there.slice(0, 3)) it.stop(); // they do not reconnect
    await load.progress(500);
    await node.start();
    await cluster.waitUntilReady([node]);
  }));

test("a node is killed, and restarts before its lease expires", (t) =>
  runWithFault(t, {}, async ({ cluster, load }) => {
    for (const node of cluster.nodes) {
      await node.kill9();
      await node.start();
      await cluster.waitUntilReady([node]);
      await load.progress(150);
    }
  }));

test("all nodes are replaced, one after the other", (t) =>
  runWithFault(t, {}, async ({ cluster, load }) => {
    for (const node of cluster.nodes) {
      await node.restart();
      await cluster.waitUntilReady([node]);
      await load.progress(150);
    }
  }));

test("the clocks of the nodes differ", (t) =>
  runWithFault(t, { clocks: [undefined, "+10s", "-10s"] }, async ({ cluster, load }) => {
    await load.progress(300);
    const node = cluster.nodes[1];
    await node.restart();
    await cluster.waitUntilReady([node]);
    await load.progress(300);
  }));
