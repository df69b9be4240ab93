// Child processes of the tests, which are killed when the test process exits.

import { spawn } from "node:child_process";

import { withTimeout } from "./timeouts.mjs";

const alive = new Set();

process.on("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

/** Variables `ROOMCAST_…` of this process must not become settings of the server. */
const ENVIRONMENT = Object.fromEntries(
  Object.entries(process.env).filter(([key]) => !key.startsWith("ROOMCAST_")),
);

/** Starts a program; `child.exited` resolves with `{ code, signal }` or `{ error }`. */
export function startProcess(program, args, { env = {}, ...options } = {}) {
  const child = spawn(program, args, { env: { ...ENVIRONMENT, ...env }, ...options });
  alive.add(child);
  child.exited = new Promise((resolve) => {
    child.once("error", (error) => resolve({ error }));
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  child.exited.then(() => alive.delete(child));
  return child;
}

/** Resolves with the first lines of a stream: what a program prints when it is ready. */
export function firstLines(what, stream) {
  return withTimeout(what, new Promise((resolve) => readLines(stream, resolve)));
}

/** Calls `add` with the complete lines of a stream as they arrive. */
export function readLines(stream, add) {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    add(lines);
  });
}
