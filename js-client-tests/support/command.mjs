// The program run to its end.

import { start } from "./child.mjs";
import { within } from "./patience.mjs";
import { ROOMCAST } from "./server.mjs";

/** Runs `roomcast` with `args` and answers its exit code and what it wrote. */
export async function roomcast(...args) {
  return run(ROOMCAST, args);
}

/** Runs a program and answers its exit code and what it wrote. */
export async function run(program, args, { input = "", ...options } = {}) {
  const child = start(program, args, options);
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  child.stdin.on("error", () => {}); // it need not read
  child.stdin.end(input);
  try {
    const { error, code, signal } = await within(`the end of ${program} ${args}`, child.exited);
    if (error) throw error;
    return { code, signal, stdout: await stdout, stderr: await stderr };
  } finally {
    child.kill("SIGKILL");
  }
}

async function text(stream) {
  let all = "";
  stream.setEncoding("utf8");
  for await (const chunk of stream) all += chunk;
  return all;
}
