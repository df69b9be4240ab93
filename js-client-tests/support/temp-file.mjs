// A temporary folder for files that a test needs before it starts a server; deleted at exit.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

let folder;

/** The path of a new file with this text. */
export function tempFile(name, text) {
  if (folder === undefined) {
    folder = mkdtempSync(path.join(tmpdir(), "roomcast-files-"));
    process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  }
  const place = path.join(folder, name);
  writeFileSync(place, text, { mode: 0o600 });
  return place;
}
