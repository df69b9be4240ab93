// A socket that outlives the processes that accept on it, as a socket unit of systemd has it.

import { readLines, startProcess } from "./child-process.mjs";
import { EventQueue } from "./event-queue.mjs";
import { ROOMCAST } from "./server.mjs";

/** Starts a program for each line "start", and stops the oldest one for each line "stop". */
const HOLDER = `
import fcntl, json, os, socket, subprocess, sys, threading
names = os.environ["LISTEN_FDNAMES"].split(":")
held = [socket.create_server(("127.0.0.1", 0), backlog=4096) for _ in names]
ports = [it.getsockname()[1] for it in held]
# First to numbers above those that are passed on.
high = [fcntl.fcntl(it.fileno(), fcntl.F_DUPFD, 64) for it in held]
for place, number in enumerate(high):
    os.dup2(number, 3 + place)
    os.set_inheritable(3 + place, True)
def tell(**what):
    print(json.dumps(what), flush=True)
def watch(program):
    ready = program.stdout.readline().strip()
    if ready: tell(ready=ready)
    tell(exit=program.wait())
tell(ports=ports)
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
  #ports;

  /** Opens a socket for each name, for processes with these arguments and this environment. */
  static async open(t, args, env = {}, names = ["clients"]) {
    const holder = new SocketHolder();
    holder.#holder = startProcess("python3", ["-c", HOLDER, ROOMCAST, ...args], {
      env: { LISTEN_FDS: String(names.length), LISTEN_FDNAMES: names.join(":"), ...env },
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
    holder.#ports = await holder.#events.next("ports");
    return holder;
  }

  get port() {
    return this.#ports[0];
  }

  get url() {
    return this.urlOf(0);
  }

  /** The address of the socket at this place. */
  urlOf(place) {
    return `http://127.0.0.1:${this.#ports[place]}`;
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
