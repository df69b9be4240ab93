// A socket that outlives the processes that accept on it, as a socket unit of systemd has it.

import { readLines, startProcess } from "./child-process.mjs";
import { EventQueue } from "./event-queue.mjs";
import { ROOMCAST } from "./server.mjs";

/** Starts a program for each line "start", and stops the oldest one for each line "stop". */
const HOLDER = `
import json, os, socket, subprocess, sys, threading
held = socket.create_server(("127.0.0.1", 0), backlog=4096)
os.dup2(held.fileno(), 3)
os.set_inheritable(3, True)
def tell(**what):
    print(json.dumps(what), flush=True)
def watch(program):
    ready = program.stdout.readline().strip()
    if ready: tell(ready=ready)
    tell(exit=program.wait())
tell(port=held.getsockname()[1])
programs = []
for line in sys.stdin:
    if line.strip() == "start":
        program = subprocess.Popen(sys.argv[1:], close_fds=False, stdout=subprocess.PIPE, text=True)
        programs.append(program)
        threading.Thread(target=watch, args=[program]).start()
    else:
        programs.pop(0).terminate()
for program in programs:
    program.terminate()
`;

export class SocketHolder {
  /** The lines of standard error, of all processes together. */
  log = [];
  #events = new EventQueue();
  #holder;
  #port;

  /** Opens a socket for processes with these arguments and this environment. */
  static async open(t, args, env = {}) {
    const holder = new SocketHolder();
    holder.#holder = startProcess("python3", ["-c", HOLDER, ROOMCAST, ...args], {
      env: { LISTEN_FDS: "1", ...env },
    });
    t.after(() => holder.#close());
    readLines(holder.#holder.stderr, (lines) => holder.log.push(...lines));
    readLines(holder.#holder.stdout, (lines) => {
      for (const line of lines) {
        for (const [event, data] of Object.entries(JSON.parse(line))) {
          holder.#events.put(event, data);
        }
      }
    });
    holder.#port = await holder.#events.next("port");
    return holder;
  }

  get port() {
    return this.#port;
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts a process. */
  start() {
    this.#holder.stdin.write("start\n");
  }

  /** Sends SIGTERM to the process that was started first. */
  stop() {
    this.#holder.stdin.write("stop\n");
  }

  /** The line that a process prints when it is ready. */
  ready() {
    return this.#events.next("ready");
  }

  /** The exit code of a process. */
  exit() {
    return this.#events.next("exit");
  }

  async #close() {
    this.#holder.stdin.end();
    await this.#holder.exited;
  }
}
