// Clients in Python, as their authors publish them: the programs under `examples/clients/python/`.

import { describe } from "node:test";
import { fileURLToPath } from "node:url";

import { terminalClient } from "../suites/terminal-client.mjs";

const EXAMPLES = new URL("../../examples/clients/python/", import.meta.url);
const PYTHON = fileURLToPath(new URL(".venv/bin/python", EXAMPLES));

/** The command line of a program. */
function command(file, url, { name, token }, more = []) {
  const who = name === undefined ? ["--token", token] : ["--name", name];
  return [PYTHON, "-B", fileURLToPath(new URL(file, EXAMPLES)), "--url", url, ...who, ...more];
}

// Together, because they mostly wait until they may connect again.
describe("clients in Python", { concurrency: 4 }, () => {
  for (const file of ["socketio_asyncio.py", "socketio_threads.py"]) {
    for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
      terminalClient(`${file} over ${transports.join(" and ")}`, ({ url, ...who }) =>
        command(file, url, who, ["--transports", ...transports]),
      );
    }
  }
  terminalClient("plain_websocket.py", ({ url, ...who }) =>
    command("plain_websocket.py", `${url.replace("http", "ws")}/ws`, who),
  );
});
