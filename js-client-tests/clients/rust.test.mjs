// `rust_socketio`, as its author publishes it: the program under `examples/clients/rust/`.

import { describe } from "node:test";
import { fileURLToPath } from "node:url";

import { terminalClient } from "../suites/terminal-client.mjs";

const PROGRAM = fileURLToPath(
  new URL("../../examples/clients/rust/target/debug/chat-in-the-terminal", import.meta.url),
);

describe("a client in Rust", { concurrency: 2 }, () => {
  for (const transport of ["polling", "websocket"]) {
    const command = ({ url, name, token }) => {
      const who = name === undefined ? ["--token", token] : ["--name", name];
      return [PROGRAM, url, ...who, transport];
    };
    terminalClient(`rust_socketio over ${transport}`, command, { bytesIn: "event" });
  }
});
