// The figures of all rounds, kept in a file: a report can be made of a run that was interrupted, and a
// part measured again on any clone.

import { readFileSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { fileURLToPath } from "node:url";

const FILE = fileURLToPath(new URL("results.json", import.meta.url));

export class Results {
  /** `figures[table][row][subject]` has a figure, or a list of them, for each round. */
  #figures = { main: {}, nodes: {} };
  /** Units of the rows of the second table. */
  #units = {};
  #failures = {};
  #began = new Date().toISOString();
  /** Of other programs: it distorts times and rates. */
  load = loadavg()[0];

  /** The results of the last run. */
  static load() {
    const results = new Results();
    const { figures, units, failures, began, load } = JSON.parse(readFileSync(FILE, "utf8"));
    results.#figures = figures;
    results.#units = units;
    results.#failures = failures;
    results.#began = began;
    results.load = load;
    return results;
  }

  get date() {
    return this.#began.slice(0, 10);
  }

  /** Forgets a measurement, before it is repeated. */
  remove(name) {
    for (const rows of Object.values(this.#figures)) {
      for (const row of Object.keys(rows)) {
        if (row === name || row.startsWith(`${name}: `)) delete rows[row];
      }
    }
    delete this.#failures[name];
  }

  add(table, row, subject, figure, unit) {
    const rows = this.#figures[table];
    rows[row] ??= {};
    rows[row][subject] ??= [];
    rows[row][subject].push(figure);
    this.#units[row] = unit;
  }

  fail(name, subject, error) {
    this.#failures[name] ??= {};
    this.#failures[name][subject] = error.message;
  }

  /** The error of a measurement with a subject, in any round. */
  failure(name, subject) {
    return this.#failures[name]?.[subject];
  }

  /** The median of the rounds, of each item where a figure is a list; undefined without a round. */
  median(table, row, subject) {
    const figures = this.#figures[table][row]?.[subject];
    if (!figures) return undefined;
    if (!Array.isArray(figures[0])) return median(figures);
    return figures[0].map((_, at) => median(figures.map((list) => list[at])));
  }

  rounds(table, row, subject) {
    return this.#figures[table][row]?.[subject]?.length ?? 0;
  }

  /** The rows of the second table, with their units. */
  nodesRows() {
    return Object.keys(this.#figures.nodes).map((row) => [row, this.#units[row]]);
  }

  /** Writes the file. */
  save() {
    const all = {
      began: this.#began,
      load: this.load,
      figures: this.#figures,
      units: this.#units,
      failures: this.#failures,
    };
    writeFileSync(FILE, `${JSON.stringify(all, null, 1)}\n`);
  }
}

function median(list) {
  const sorted = list.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
