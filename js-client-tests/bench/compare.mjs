// Roomcast beside stock Node.js servers, the same work for each, one after the other.
//
//   node compare.mjs [--runs 3] [--only words of a work's name]
//
// Everything stays on the loopback interface. docs/benchmarks.md says what the figures mean.

import { parseArgs } from "node:util";

import { within } from "../support/patience.mjs";
import { KINDS } from "./servers.mjs";
import { ASIDE, WORKS } from "./works.mjs";

/** Far longer than any work takes. */
const WORK_MS_MAX = 120_000;

const { values } = parseArgs({
  options: { runs: { type: "string", default: "3" }, only: { type: "string", default: "" } },
});
const works = WORKS.filter(({ name }) => name.includes(values.only));
const figures = new Map(works.map((work) => [work, { node: [], roomcast: [] }]));

for (let run = 1; run <= Number(values.runs); run += 1) {
  for (const work of works) {
    for (const [side, kind] of [["node", work.against], ["roomcast", "roomcast"]]) {
      const { figure, note } = await measure(work, kind);
      figures.get(work)[side].push(figure);
      console.error(`run ${run}: ${work.name}: ${kind} ${round(figure)} ${work.unit} (${note})`);
    }
  }
}
console.log("| work | unit | Node | Roomcast | ratio | target |\n| --- | --- | --: | --: | --: | --: |");
for (const [{ name, unit, target }, { node, roomcast }] of figures) {
  console.log(row(name, unit, median(node), median(roomcast), target));
}
for (const { ours, theirs, target } of ASIDE) {
  const find = (wanted) => works.find(({ name }) => name === wanted);
  const [one, other] = [find(ours), find(theirs)];
  if (!one || !other) continue;
  const { roomcast } = figures.get(one);
  const { node } = figures.get(other);
  const name = `${ours}, beside Node's ${theirs}`;
  console.log(row(name, one.unit, median(node), median(roomcast), target));
}

function row(name, unit, theirs, ours, target) {
  const ratio = (ours / theirs).toFixed(2);
  return `| ${name} | ${unit} | ${round(theirs)} | ${round(ours)} | ${ratio} | ${target} |`;
}

async function measure(work, kind) {
  const server = await KINDS[kind]();
  try {
    return await within(`${work.name} with ${kind}`, work.run(server), WORK_MS_MAX);
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
