// What the benchmarks report: processor time, ratios, targets and the chart.

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";

import { chart } from "../bench/chart.mjs";
import { cpuOf, threadsOf, ticksOf } from "../bench/processor-time.mjs";
import { mainTable } from "../bench/report.mjs";
import { Results } from "../bench/results.mjs";

const BUSY_MS = 300;
const TICK_SECONDS = 0.01;

describe("the processor time of a process", () => {
  test("includes threads that have ended", async () => {
    const before = cpuOf(process.pid);
    const busy = `const end = performance.now() + ${BUSY_MS}; while (performance.now() < end);`;
    const worker = new Worker(busy, { eval: true });
    await once(worker, "exit");
    const after = cpuOf(process.pid);
    assert.ok(threadsOf(process.pid) < after, "the thread is not among the live ones");
    assert.ok(after - before > 2 * TICK_SECONDS, "its time is counted");
    const { own } = ticksOf(process.pid);
    assert.ok(
      Math.abs(cpuOf(process.pid) - own) < 5 * TICK_SECONDS,
      "it agrees with the kernel's sum",
    );
  });
});

describe("the report", () => {
  const ROUND_TRIP = "round trip, 64 clients, acknowledged";

  test("has ratios of medians, and says which targets are met", () => {
    const results = new Results();
    for (const [subject, figures] of Object.entries({
      node: [90, 100, 200],
      roomcast: [60, 65, 90],
      roomcastWs: [61, 66, 70],
    })) {
      for (const figure of figures) results.add("main", ROUND_TRIP, subject, figure, "µs CPU");
    }
    const row = mainTable(results)
      .split("\n")
      .find((line) => line.includes(ROUND_TRIP));
    assert.match(row, /\| 100 \|.*\| 0\.65 \(65\) ✓ \| 0\.66 \(66\) ✗ \|.*≤ 0\.65 \/ 0\.60 \|$/);
  });

  test("shows a failure where there is no figure", () => {
    const results = new Results();
    results.add("main", ROUND_TRIP, "node", 100, "µs CPU");
    results.fail(ROUND_TRIP, "roomcast", new Error("a message was lost"));
    assert.match(mainTable(results), /\| failed \|/);
  });

  test("draws a bar for each ratio", () => {
    const bars = [{ subject: "roomcast", title: "Roomcast <Socket.IO>", ratio: 0.5 }];
    const drawn = chart([{ title: "a delivery", bars }]);
    assert.match(drawn, /^<svg .*<\/svg>\n$/s);
    assert.match(drawn, />0\.50<\/text>/);
    assert.match(drawn, /Roomcast &lt;Socket\.IO>/);
  });
});
