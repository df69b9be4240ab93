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
  #scheme;
  #program;

  /** With `{ cert, key }` it speaks TLS. */
  async start(nodes, certificate) {
    this.#scheme = certificate ? "https" : "http";
    this.#home = await mkdtemp(path.join(tmpdir(), "roomcast-nginx-"));
    this.port = await freePort();
    const file = path.join(this.#home, "nginx.conf");
    await writeFile(file, this.#settings(nodes, certificate));
    this.#program = new ManagedProcess(PROGRAM, ["-p", this.#home, "-e", "stderr", "-c", file]);
    await this.#program.start(READY);
    return this;
  }

  get url() {
    const host = this.#scheme === "https" ? "localhost" : "127.0.0.1";
    return `${this.#scheme}://${host}:${this.port}`;
  }

  async stop() {
    await this.#program?.end("SIGKILL");
    await rm(this.#home, { recursive: true, force: true });
  }

  /** The documented configuration, with the addresses of these nodes. */
  #settings(nodes, certificate) {
    const [, shown] = SHOWN.exec(readFileSync(DOC, "utf8"));
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
    const here = shown
      .replace(/ *server 10\.[\d.]+:3000.*\n/g, (line) => {
        const address = addresses.shift();
        return address ? line.replace(/10\.[\d.]+:3000/, address) : "";
      })
      .replace(/listen .*;/, `listen 127.0.0.1:${this.port} ${certificate ? "ssl" : ""};`)
      .replace(/ssl_certificate(_key)? .*;/g, (_, key) => {
        if (!certificate) return "";
        return key
          ? `ssl_certificate_key ${certificate.key};`
          : `ssl_certificate ${certificate.cert};`;
      });
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
export async function nginxForThisTest(t, nodes, certificate) {
  const nginx = new Nginx();
  t.after(() => nginx.stop());
  return nginx.start(nodes, certificate);
}
