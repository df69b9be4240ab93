// The words of README.md before there is a server.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { runProgram } from "../support/command.mjs";
import { ROOMCAST } from "../support/server.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

test("`make run` gives the server no variable that it refuses", async () => {
  // The binary is there: `-o` leaves out its build.
  const words = ["-o", "release", "run", `BINARY=${ROOMCAST}`, "ARGS=check-config"];
  const { code, stdout, stderr } = await runProgram("make", words, { cwd: ROOT });
  assert.equal(code, 0, `${stdout}\n${stderr}`);
});
