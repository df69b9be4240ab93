// Roomcast beside other servers, the same measurements for each in turn.
//
//   node compare.mjs [--runs 3] [--only words of a measurement's name] [--update | --report]
//
// A run of all measurements writes the tables and the chart of docs/benchmarks.md. With `--only`
// they are printed; `--update` puts the selected measurements into the results of the last run and
// writes the documents; `--report` writes them without measuring. Exit code 1: a measurement failed.
// All traffic is on the loopback interface.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { withTimeout } from "../support/timeouts.mjs";
import { MEASUREMENTS, NODES_MEASUREMENTS } from "./measurements.mjs";
import { mainTable, nodesTable, round, writeDocuments } from "./report.mjs";
import { Results } from "./results.mjs";
import { SUBJECTS } from "./subjects.mjs";

/** Far longer than most measurements take. */
const MEASUREMENT_SECONDS_MAX = 180;
/** Between two servers: sockets and files of the last one are closed. */
const PAUSE_MS = 500;

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "3" },
    only: { type: "string", default: "" },
    update: { type: "boolean", default: false },
    report: { type: "boolean", default: false },
  },
});
/** A part alone does not replace the results of the last run. */
const isKept = values.update || values.report || values.only === "";
const isSelected = ({ name }) => name.includes(values.only);
const files = Number(/open files +(\d+)/.exec(readFileSync("/proc/self/limits", "latin1"))[1]);

/** Fails the running measurement, to which an error in a callback of a socket belongs. */
let crash = (error) => {
  console.error(error);
  process.exitCode = 1;
};
process.on("uncaughtException", (error) => crash(error));

const results = values.update || values.report ? Results.load() : new Results();
if (!values.report) await measureAll();
console.log(`${mainTable(results)}\n\n${nodesTable(results)}`);
if (isKept) writeDocuments(results);

async function measureAll() {
  const all = [
    ...MEASUREMENTS.map((it) => ({ table: "main", ...it })),
    ...NODES_MEASUREMENTS.map((it) => ({ table: "nodes", ...it })),
  ].filter(isSelected);
  for (const { name } of all) results.remove(name);
  for (let number = 1; number <= Number(values.runs); number += 1) {
    for (const measurement of all) {
      if (number <= (measurement.rounds ?? number)) await measureEach(measurement, number);
    }
  }
}

/** One round of a measurement, with each subject. An error ends only the part that it occurs in. */
async function measureEach(measurement, number) {
  const { name, table, subjects, starts } = measurement;
  for (const subject of subjects ?? Object.keys(starts)) {
    const label = `round ${number}: ${name}: ${subject}`;
    try {
      for (const finding of await measure(measurement, subject)) {
        add(measurement, subject, finding);
        const { row = "", figure, note } = finding;
        const shown = [figure].flat().map(round).join(" / ");
        console.error(`${label}: ${row && `${row} `}${shown} (${note})`);
      }
    } catch (error) {
      console.error(`${label}: failed: ${error.stack}`);
      results.fail(name, subject, error);
      process.exitCode = 1;
    }
    if (isKept) results.save();
    await sleep(PAUSE_MS);
  }

  function add({ unit, rows }, subject, finding) {
    const { row, figure } = finding;
    if (table === "nodes") results.add(table, row, subject, figure, finding.unit);
    else if (row === undefined) results.add(table, name, subject, figure, unit);
    else results.add(table, `${name}: ${row}`, subject, figure, rows[row].unit);
  }
}

/** The findings of a measurement with a new server: one, or several with names. */
async function measure(measurement, subject) {
  const { name, starts, run, files: wanted = 0, secondsMax, settings, beside } = measurement;
  if (files < wanted) throw new Error(`\`ulimit -n\` is ${files}, and ${wanted} files are needed`);
  const { start, ...how } = starts ? { start: starts[subject] } : SUBJECTS[subject];
  const server = await start(starts ? undefined : { settings, beside });
  const wait = (secondsMax ?? MEASUREMENT_SECONDS_MAX) * 1000;
  const crashed = new Promise((_, reject) => (crash = reject));
  const finished = Promise.race([run({ server, ...how }), crashed]);
  try {
    return [await withTimeout(`${name} with ${subject}`, finished, wait)].flat();
  } finally {
    await server.stop();
  }
}
