// A process takes over from another one on the same socket: nobody is refused, and nothing is lost.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { checkDelivery } from "../support/delivery-checker.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { httpRequest } from "../support/http.mjs";
import { LoadGenerator } from "../support/load-generator.mjs";
import { SocketHolder } from "../support/socket-holder.mjs";
import { once, withTimeout } from "../support/timeouts.mjs";
import { interval } from "../support/timers.mjs";
import { SECRET } from "../support/tokens.mjs";
import { wsJson } from "../support/ws.mjs";

const TAKEOVERS = 3;
const CLIENTS = 16;
/** Messages that are acknowledged before each takeover, and after the last one. */
const STEADY_MESSAGES = 150;
const REQUEST_MS = 20;
const HANDSHAKE = "/socket.io/?EIO=4&transport=polling";
const PATHS = ["/health/live", "/api/session", HANDSHAKE];
/** How clients see that they, or a process, end a connection. All else would be a refusal. */
const EXPECTED_ENDS = [
  "closing draining",
  "refused draining", // a request that a process received and did not store
  "close code 1001",
  "close code 1005", // the client drops its connection
  "close code 1006",
  "forced close",
  "transport close",
  // A request reached the next process, which does not know its session.
  "transport error", // 2.x does not tell the status
  "transport error (HTTP 400)",
  "xhr poll error (HTTP 400)",
  "xhr post error (HTTP 400)",
];

test(`nobody is refused in ${TAKEOVERS} takeovers under load`, async (t) => {
  const server = await SocketHolder.open(t, await serveArgs(t), {
    ROOMCAST_TOKEN_SECRET: SECRET,
  });
  server.start();
  await server.ready();
  const load = new LoadGenerator([server], { clients: CLIENTS });
  const requests = new NewConnections(server);
  try {
    await load.connectAll();
    requests.start();
    for (let n = 0; n < TAKEOVERS; n += 1) {
      await load.progress(STEADY_MESSAGES);
      server.stop();
      server.start(); // it waits for the data directory
      assert.equal(await server.exit(), 0, server.log.join("\n"));
      await server.ready();
    }
    await load.progress(STEADY_MESSAGES);
    await load.drain();
    await load.waitUntilDelivered();
    await requests.stop();
    assert.deepEqual(requests.failures, []);
    assert.deepEqual(await checkDelivery(load, [server]), []);
    const ends = new Set(load.clients.flatMap((it) => [...it.outcomes.keys()]));
    assert.deepEqual(
      [...ends].filter((it) => !EXPECTED_ENDS.includes(it)),
      [],
    );
  } finally {
    t.diagnostic(`${requests.count} requests on connections of their own; ${load.summary()}`);
    requests.isRunning = false;
    load.stop();
  }
  assert.match(server.log.join("\n"), /waiting for the data directory/);
  assert.doesNotMatch(server.log.join("\n"), /\b(WARN|ERROR)\b/);
});

test("connections that are open at a takeover are served once more", async (t) => {
  const server = await SocketHolder.open(t, await serveArgs(t), {
    ROOMCAST_DRAIN_MS_MAX: "120000",
  });
  server.start();
  await server.ready();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  assert.equal((await get(server, "/health/live", agent)).connection, undefined);
  // It prolongs the takeover until its first request has an answer.
  const silent = net.connect(server.port, "127.0.0.1");
  await once(silent, "connect");
  const ann = await joinAsGuest(t, wsJson, server, "ann"); // by now the server has accepted the other
  server.stop();
  assert.equal((await ann.next("closing")).code, "draining");
  const early = joinAsGuest(t, wsJson, server, "bob");
  const kept = await get(server, HANDSHAKE, agent);
  assert.deepEqual(kept, { status: 200, connection: "close", isKept: true });
  silent.write(`GET ${HANDSHAKE} HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\n\r\n`);
  const answer = Buffer.concat(await withTimeout("the answer and the end", silent.toArray()));
  assert.match(answer.toString(), /^HTTP\/1\.1 200 .*connection: close\r\n/s);
  assert.equal(await server.exit(), 0, server.log.join("\n"));
  server.start();
  await early;
});

test("a process waits for the data directory for a bounded time", async (t) => {
  const args = await serveArgs(t);
  const server = await SocketHolder.open(t, args, { ROOMCAST_DRAIN_MS_MAX: "100" });
  server.start();
  await server.ready();
  server.start();
  assert.equal(await server.exit(), 2);
  const lines = server.log.join("\n");
  assert.match(lines, /waiting for the data directory/);
  assert.match(lines, /`data`: another process uses the data directory/);
});

/** Requests on connections of their own, one after the other in each of several rows. */
class NewConnections {
  failures = [];
  count = 0;
  isRunning = false;
  #server;
  #rows;

  constructor(server) {
    this.#server = server;
  }

  start() {
    this.isRunning = true;
    this.#rows = Promise.all(PATHS.map((it) => this.#repeat(it)));
  }

  async stop() {
    this.isRunning = false;
    await withTimeout("the last answers", this.#rows);
  }

  async #repeat(address) {
    for await (const _ of interval(REQUEST_MS)) {
      if (!this.isRunning) return;
      this.count += 1;
      try {
        const { status } = await httpRequest(this.#server, address);
        if (status >= 500) this.failures.push(`${address}: ${status}`);
      } catch (error) {
        this.failures.push(`${address}: ${error.code ?? error.message}`);
      }
    }
  }
}

/** What a request on a connection of `agent` is answered with. */
function get(server, address, agent) {
  const answer = new Promise((resolve, reject) => {
    const request = http.get(`${server.url}${address}`, { agent });
    request.once("error", reject);
    request.once("response", (response) => {
      const { statusCode: status, headers } = response;
      const { connection } = headers;
      response.resume();
      response.once("end", () => resolve({ status, connection, isKept: request.reusedSocket }));
    });
  });
  return withTimeout(`the answer to ${address}`, answer);
}

async function serveArgs(t) {
  const home = await mkdtemp(path.join(tmpdir(), "roomcast-takeover-"));
  t.after(() => rm(home, { recursive: true, force: true }));
  return ["serve", "--listen", "systemd", "--data", home];
}
