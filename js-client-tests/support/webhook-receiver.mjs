// A receiver of webhooks in a process of its own, so that a test may kill it.
//
// It prints each request as a line of JSON, and answers only once the line is written: what was
// answered is known to the test, also after `kill -9`. It checks no signature; tests/it/webhooks.rs
// does.

import { once } from "node:events";
import http from "node:http";
import { fileURLToPath } from "node:url";

import { freePort } from "./free-port.mjs";
import { ManagedProcess } from "./managed-process.mjs";

/** Before each line that is a request. */
const MARK = "request ";
const READY = /^listening$/;

export class WebhookReceiver {
  #process;

  /** Starts a receiver on a port that it keeps. */
  static async start(t) {
    const receiver = new WebhookReceiver();
    receiver.port = await freePort();
    const script = fileURLToPath(import.meta.url);
    receiver.#process = new ManagedProcess(process.execPath, [script, String(receiver.port)]);
    await receiver.start();
    t.after(() => receiver.kill9());
    return receiver;
  }

  /** Starts it again. */
  async start() {
    await this.#process.start(READY);
  }

  async kill9() {
    await this.#process.end("SIGKILL");
  }

  /** The settings of a webhook with this name, which is its path, too. */
  webhook(name, more) {
    return { name, url: `http://127.0.0.1:${this.port}/${name}`, ...more };
  }

  /** The requests to a webhook so far, in order: `{ id, events }`. */
  requests(name) {
    const lines = this.#process.log.filter((line) => line.startsWith(MARK));
    const all = lines.map((line) => JSON.parse(line.slice(MARK.length)));
    return all
      .filter(({ path }) => path === `/${name}`)
      .map(({ id, body }) => ({ id, events: body.events ?? [body] }));
  }

  /** The events that a webhook was told of, in the order of their first arrival, each once. */
  events(name) {
    const events = new Map();
    for (const event of this.requests(name).flatMap((it) => it.events)) {
      if (!events.has(event.id)) events.set(event.id, event);
    }
    return [...events.values()];
  }
}

async function serve(port) {
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = JSON.parse(Buffer.concat(chunks).toString());
    const { url: path, headers } = request;
    const line = JSON.stringify({ path, id: headers["webhook-id"], body });
    process.stdout.write(`${MARK}${line}\n`, () => response.end());
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  process.stdout.write("listening\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve(Number(process.argv[2]));
