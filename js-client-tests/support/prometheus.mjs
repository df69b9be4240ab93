// Prometheus as it is published, reading the metrics of a server.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { freePort } from "./free-port.mjs";
import { ManagedProcess } from "./managed-process.mjs";

const READY = /Server is ready to receive web requests/;

class Prometheus {
  #home;
  #program;

  /** `rules` is a file of alerts. */
  async start(server, { key, rules }) {
    this.#home = await mkdtemp(path.join(tmpdir(), "roomcast-prometheus-"));
    const port = await freePort();
    this.url = `http://127.0.0.1:${port}`;
    const settings = {
      global: { scrape_interval: "250ms", evaluation_interval: "250ms" },
      rule_files: [rules],
      scrape_configs: [
        {
          job_name: "roomcast",
          authorization: { credentials: key },
          static_configs: [{ targets: [`127.0.0.1:${server.port}`] }],
        },
      ],
    };
    const file = path.join(this.#home, "prometheus.yml");
    await writeFile(file, JSON.stringify(settings)); // JSON is YAML
    this.#program = new ManagedProcess("prometheus", [
      `--config.file=${file}`,
      `--storage.tsdb.path=${this.#home}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    await this.#program.start(READY);
    return this;
  }

  /** The values of a query, by the labels of each series as JSON. */
  async query(expression) {
    const url = `${this.url}/api/v1/query?query=${encodeURIComponent(expression)}`;
    const { data } = await (await fetch(url)).json();
    return data.result.map(({ metric, value: [, value] }) => [metric, Number(value)]);
  }

  async get(route) {
    return (await (await fetch(`${this.url}/api/v1/${route}`)).json()).data;
  }

  async stop() {
    await this.#program?.end("SIGKILL");
    await rm(this.#home, { recursive: true, force: true });
  }
}

/** Prometheus for one test. */
export async function prometheusForThisTest(t, server, options) {
  const prometheus = new Prometheus();
  t.after(() => prometheus.stop());
  return prometheus.start(server, options);
}
