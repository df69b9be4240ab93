// The tables and the chart of docs/benchmarks.md, made of the results.

import { readFileSync, writeFileSync } from "node:fs";

import { chart } from "./chart.mjs";
import { MEASUREMENTS, QUOTIENTS } from "./measurements.mjs";
import { REFERENCE, SUBJECTS } from "./subjects.mjs";

const DOCUMENT = new URL("../../docs/benchmarks.md", import.meta.url);
const CHART = new URL("../../docs/benchmarks.svg", import.meta.url);

const COLUMNS = Object.entries(SUBJECTS);
const NONE = "";

/** Puts the tables between their marks in the document, and writes the chart. */
export function writeDocuments(results) {
  let text = readFileSync(DOCUMENT, "utf8");
  text = between(text, "table", `${circumstances(results)}\n\n${mainTable(results)}`);
  text = between(text, "nodes", nodesTable(results));
  writeFileSync(DOCUMENT, text);
  writeFileSync(CHART, chart(groups(results)));
}

function circumstances(results) {
  const repeated = MEASUREMENTS.filter(({ rounds }) => rounds === undefined);
  const counts = repeated.map(({ name, subjects: [first] }) => results.rounds("main", name, first));
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const medians = `rounds: ${least === most ? least : `${least} to ${most}`}, of which the median`;
  const load = `The load average of the machine was ${results.load.toFixed(1)} before the run.`;
  return `Measured on ${results.date}; ${medians}. ${load}`;
}

/** One row for each figure, with its ratio to the reference. */
export function mainTable(results) {
  const rows = MEASUREMENTS.flatMap((measurement) => [
    measurementRow(results, measurement, measurement),
    ...Object.entries(measurement.rows).map(([row, it]) =>
      measurementRow(results, measurement, { ...it, row }),
    ),
  ]);
  rows.push(...QUOTIENTS.map((quotient) => quotientRow(results, quotient)));
  const titles = COLUMNS.map(([, { title }]) => title);
  return markdown(["work", "unit", ...titles, "target"], rows.filter(Boolean));
}

/** Node and Roomcast by themselves, and with 1, 2 and 3 nodes. */
export function nodesTable(results) {
  const rows = new Map();
  for (const [row, unit] of results.nodesRows()) {
    const [, nodes, what] = /^nodes, (.*?): (.*)$/.exec(row);
    const title = `${what}, ${nodes.endsWith("by itself") ? "by itself" : "1 / 2 / 3 nodes"}`;
    if (!rows.has(title)) rows.set(title, { unit, pairs: [] });
    rows.get(title).pairs.push(["node", "roomcast"].map((it) => results.median("nodes", row, it)));
  }
  const cells = [...rows].map(([title, { unit, pairs }]) => {
    const list = (each) => pairs.map(each).join(" / ");
    const ratio = ([node, roomcast]) => (node && roomcast ? (roomcast / node).toFixed(2) : "–");
    return [title, unit, list(([it]) => shown(it)), list(([, it]) => shown(it)), list(ratio)];
  });
  return markdown(["", "unit", "Node", "Roomcast", "ratio"], cells);
}

/** A number with three digits, or a whole one. */
export function round(figure) {
  return figure < 1000 ? Number(figure.toPrecision(3)) : Math.round(figure);
}

function measurementRow(results, measurement, { row, title, unit, target }) {
  const key = row === undefined ? measurement.name : `${measurement.name}: ${row}`;
  const figure = (subject) => results.median("main", key, subject);
  const cells = COLUMNS.map(([subject]) => {
    const failed = results.failure(measurement.name, subject) && "failed";
    return cell(figure(subject), figure(REFERENCE), { subject, unit, target }) || failed || NONE;
  });
  if (cells.every((it) => it === NONE)) return undefined;
  return [title ? `– ${title}` : measurement.name, unit, ...cells, describe(target)];
}

function quotientRow(results, { name, after, below, unit, target }) {
  const cells = COLUMNS.map(([subject]) => {
    const [above, under] = [after, below].map((row) => results.median("main", row, subject));
    if (above === undefined || under === undefined) return NONE;
    return cell(above / under, undefined, { subject, unit, target });
  });
  if (cells.every((it) => it === NONE)) return undefined;
  return [name, unit, ...cells, describe(target)];
}

/** A figure, after its ratio to the reference, with a mark where there is a target. */
function cell(figure, reference, { subject, unit, target }) {
  if (figure === undefined) return NONE;
  const hasRatio = subject !== REFERENCE && !Array.isArray(figure) && unit !== "times";
  const ratio = hasRatio && reference !== undefined ? figure / reference : undefined;
  const text = ratio === undefined ? shown(figure) : `${ratio.toFixed(2)} (${shown(figure)})`;
  const bound = target?.[subject];
  const compared = target?.of === "ratio" ? ratio : figure;
  if (bound === undefined || compared === undefined) return text;
  const isMet = target.sign === "≤" ? compared <= bound : compared >= bound;
  return `${text} ${isMet ? "✓" : "✗"}`;
}

function describe(target) {
  if (!target) return NONE;
  const { of, sign, roomcast, roomcastWs } = target;
  const bounds = [...new Set([roomcast, roomcastWs])].filter((it) => it !== undefined);
  return `${sign} ${bounds.map((it) => (of === "ratio" ? it.toFixed(2) : it)).join(" / ")}`;
}

function shown(figure) {
  if (figure === undefined) return NONE;
  return [figure].flat().map(round).join(" / ");
}

function markdown(titles, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const rule = titles.map((_, at) => (at < 2 ? "---" : "--:"));
  return [titles, rule, ...rows].map(line).join("\n");
}

/** The bars of the chart: ratios to the reference, of which the smaller is better. */
function groups(results) {
  return MEASUREMENTS.filter(({ charted }) => charted)
    .map(({ name, charted, inverted }) => {
      const reference = results.median("main", name, REFERENCE);
      const bars = ["bare", "roomcast", "roomcastWs"].map((subject) => {
        const ratio = results.median("main", name, subject) / reference;
        return { subject, title: SUBJECTS[subject].title, ratio: inverted ? 1 / ratio : ratio };
      });
      return { title: charted, bars: bars.filter(({ ratio }) => Number.isFinite(ratio)) };
    })
    .filter(({ bars }) => bars.length > 0);
}

/** Replaces the text between two marks. */
function between(text, mark, content) {
  const [begin, end] = [`<!-- ${mark}: written by the bench -->`, `<!-- ${mark}: end -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the document has no marks of "${mark}"`);
  return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
}
