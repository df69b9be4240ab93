// docs/protocol.md: its sections and tables.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

export const PROTOCOL = await readFile(new URL("../../docs/protocol.md", import.meta.url), "utf8");

/** The text under a heading of the second level. */
export function section(heading) {
  const found = PROTOCOL.split(/^## /m).find((it) => it.startsWith(`${heading}\n`));
  return found ?? assert.fail(`no section "${heading}"`);
}

/** The cells of a column of the table under a heading; names without their quotes. */
export function column(heading, index) {
  const rows = section(heading)
    .split("\n")
    .filter((line) => line.startsWith("| `"));
  assert.notEqual(rows.length, 0, `no table under "${heading}"`);
  return rows.map((row) => row.split("|")[index + 1].trim().replace(/^`|`$/g, ""));
}

export const REQUESTS = column("Client to server", 0);
export const EVENTS = column("Server to client", 0).flatMap((it) => it.split("` / `"));
export const CODES = column("Codes", 0);
