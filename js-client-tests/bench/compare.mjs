// Roomcast beside plain Node.js servers, the same measurements for each, one after the other.
//
//   node compare.mjs [--runs 3] [--only words of a measurement's name]
//
// All traffic is on the loopback interface. docs/benchmarks.md explains the figures.

import { parseArgs } from "node:util";

import { withTimeout } from "../support/timeouts.mjs";
import { CROSS_COMPARISONS, MEASUREMENTS } from "./measurements.mjs";

/** Far longer than any measurement takes. */
const MEASUREMENT_MS_MAX = 120_000;

const { values } = parseArgs({
  options: { runs: { type: "string", default: "3" }, only: { type: "string", default: "" } },
});
const selected = MEASUREMENTS.filter(({ name }) => name.includes(values.only));
const rows = new Map();

for (let run = 1; run <= Number(values.runs); run += 1) {
  for (const measurement of selected) {
    for (const side of ["node", "roomcast"]) {
      for (const finding of await measure(measurement, side))
        add(run, side, { ...measurement, ...finding });
    }
  }
}
console.log(
  "| work | unit | Node | Roomcast | ratio | target |\n| --- | --- | --: | --: | --: | --: |",
);
for (const [name, { unit, target, node, roomcast }] of rows) {
  console.log(row(name, unit, median(node), median(roomcast), target));
}
for (const { ours, theirs, target } of CROSS_COMPARISONS) {
  const [one, other] = [rows.get(ours), rows.get(theirs)];
  if (!one || !other) continue;
  const name = `${ours}, beside Node's ${theirs}`;
  console.log(row(name, one.unit, median(other.node), median(one.roomcast), target));
}

function add(run, side, { name, unit, target, figure, note }) {
  if (!rows.has(name)) rows.set(name, { unit, target, node: [], roomcast: [] });
  rows.get(name)[side].push(figure);
  console.error(`run ${run}: ${name}: ${side} ${round(figure)} ${unit} (${note})`);
}

function row(name, unit, theirs, ours, target) {
  const ratio = (ours / theirs).toFixed(2);
  return `| ${name} | ${unit} | ${round(theirs)} | ${round(ours)} | ${ratio} | ${target} |`;
}

/** The results of a measurement: one figure, or several with names. */
async function measure({ name, kinds, run }, side) {
  const server = await kinds[side]();
  try {
    return [await withTimeout(`${name} with ${side}`, run(server), MEASUREMENT_MS_MAX)].flat();
  } finally {
    await server.stop();
  }
}

function median(list) {
  const sorted = list.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function round(figure) {
  return figure < 1000 ? Number(figure.toPrecision(3)) : Math.round(figure);
}
