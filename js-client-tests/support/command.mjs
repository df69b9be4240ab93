// Runs programs to completion.

import { startProcess } from "./child-process.mjs";
import { ROOMCAST } from "./server.mjs";
import { withTimeout } from "./timeouts.mjs";

/** Runs `roomcast` with `args`; returns its exit code and output. */
export async function runRoomcast(...args) {
  return runProgram(ROOMCAST, args);
}

/** Runs a program; returns its exit code and output. */
export async function runProgram(program, args, { input = "", timeoutMs, ...options } = {}) {
  const child = startProcess(program, args, options);
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  child.stdin.on("error", () => {}); // the program may exit without reading it
  child.stdin.end(input);
  try {
    const { error, code, signal } = await withTimeout(
      `the end of ${program} ${args}`,
      child.exited,
      timeoutMs,
    );
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
