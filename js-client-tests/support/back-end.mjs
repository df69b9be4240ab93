// A back end for the tests: an HTTP server that answers as each test says, and checks signatures.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import http from "node:http";
import { after } from "node:test";

import { once, withTimeout } from "./timeouts.mjs";

/** The secrets of the server's requests: the second one is the old one of a rotation. */
export const SECRETS = ["a new secret of this back end", "the old secret of the back end"];

export class BackEnd {
  /** The calls in the order of their arrival: `{ headers, call }`. */
  calls = [];
  #answers = {};
  #server = http.createServer((request, response) => this.#take(request, response));
  #sockets = new Set();
  #failures = [];

  /** Starts a back end for the whole test file. */
  static async forThisFile() {
    const backEnd = new BackEnd();
    backEnd.#server.on("connection", (socket) => {
      backEnd.#sockets.add(socket);
      socket.once("close", () => backEnd.#sockets.delete(socket));
    });
    await backEnd.listen(0);
    after(async () => {
      await backEnd.close();
      assert.deepEqual(backEnd.#failures, [], "every request has the documented form");
    });
    return backEnd;
  }

  get url() {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  async listen(port = this.port) {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = this.#server.address().port;
  }

  /** Stops listening and cuts all connections. */
  async close() {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /**
   * How an event is answered from now on: an object, or a function of the call and the response. A
   * function that returns nothing has answered by itself.
   */
  answer(event, answer) {
    this.#answers[event] = answer;
  }

  /** How an event is answered now, as a function. */
  answerOf(event) {
    const answer = this.#answers[event] ?? {};
    return typeof answer === "function" ? answer : () => answer;
  }

  /** The settings of a server that has this back end. */
  settings({ rules = [{ name: "*", to: "backend" }], ...more } = {}) {
    const backend = { name: "test", url: this.url, secret: SECRETS, timeout_ms: 500, ...more };
    return { events: rules, backends: [backend] };
  }

  async #take(request, response) {
    const chunks = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
      const body = Buffer.concat(chunks).toString();
      this.#check(request, body);
      const call = JSON.parse(body);
      this.calls.push({ headers: request.headers, call });
      const answer = this.#answers[call.type === "event" ? call.event : call.type] ?? {};
      const object = typeof answer === "function" ? await answer(call, response) : answer;
      if (object) response.end(JSON.stringify(object));
    } catch (error) {
      // A connection that the test cuts is no failure of the request.
      if (!request.destroyed || error.code !== "ECONNRESET") this.#failures.push(error);
      response.destroy();
    }
  }

  #check({ method, url, headers }, body) {
    assert.deepEqual([method, url], ["POST", "/hook"]);
    assert.equal(headers["content-type"], "application/json");
    assert.match(headers["webhook-id"], /^msg_\S+$/);
    assert.ok(Math.abs(headers["webhook-timestamp"] - Date.now() / 1000) < 60);
    assert.deepEqual(headers["webhook-signature"].split(" "), signatures(headers, body));
  }
}

/** The signatures of the Standard Webhooks specification, one per secret. */
function signatures(headers, body) {
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  return SECRETS.map((secret) => {
    const hmac = createHmac("sha256", secret).update(signed);
    return `v1,${hmac.digest("base64")}`;
  });
}

/** A promise that a test resolves. */
export function gate() {
  let open;
  const opened = new Promise((resolve) => {
    open = resolve;
  });
  return { opened: withTimeout("the gate", opened), open };
}
