// nginx in front of several nodes, with the configuration of docs/cluster.md.

import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { freePort } from "./free-port.mjs";
import { ManagedProcess } from "./managed-process.mjs";

const DOC = new URL("../../docs/cluster.md", import.meta.url);
const SHOWN = /```nginx\n(map [\s\S]*?)```/;

/** Debian installs it outside of the PATH of ordinary users. */
const PROGRAM = "/usr/sbin/nginx";

/** nginx logs its operating system once it listens. */
const READY = /OS: Linux/;

export class Nginx {
  #home;
  #program;

  async start(nodes) {
    this.#home = await mkdtemp(path.join(tmpdir(), "roomcast-nginx-"));
    this.port = await freePort();
    const file = path.join(this.#home, "nginx.conf");
    await writeFile(file, this.#settings(nodes));
    this.#program = new ManagedProcess(PROGRAM, ["-p", this.#home, "-e", "stderr", "-c", file]);
    await this.#program.start(READY);
    return this;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop() {
    await this.#program?.end("SIGKILL");
    await rm(this.#home, { recursive: true, force: true });
  }

  /** The documented configuration, with the addresses of these nodes and without TLS. */
  #settings(nodes) {
    const [, shown] = SHOWN.exec(readFileSync(DOC, "utf8"));
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
    const here = shown
      .replace(/server 10\.[\d.]+:3000/g, () => `server ${addresses.shift()}`)
      .replace(/listen .*;/, `listen 127.0.0.1:${this.port};`);
    const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    const folders = paths.map((it) => `${it}_temp_path ${this.#home}/${it};`).join("\n");
    return `
      daemon off;
      master_process off;
      pid ${this.#home}/pid;
      error_log stderr notice;
      events { worker_connections 512; }
      http { access_log off; ${folders} ${here} }
    `;
  }
}

/** nginx for one test. */
export async function nginxForThisTest(t, nodes) {
  const nginx = new Nginx();
  t.after(() => nginx.stop());
  return nginx.start(nodes);
}
