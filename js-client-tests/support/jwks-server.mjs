// An HTTP server that publishes a JWK set, like an identity provider: it rotates keys, stops and
// restarts.

import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import http from "node:http";

import { withTimeout } from "./timeouts.mjs";
import { encodeJwt, epochSeconds } from "./tokens.mjs";

const KEY_TYPES = {
  RS256: ["rsa", { modulusLength: 2048 }],
  ES256: ["ec", { namedCurve: "P-256" }],
  ES384: ["ec", { namedCurve: "P-384" }],
  EdDSA: ["ed25519"],
};

/** A key with an id, and the tokens that it signs. */
export class SigningKey {
  constructor(kid, alg) {
    const { publicKey, privateKey } = generateKeyPairSync(...KEY_TYPES[alg]);
    Object.assign(this, { kid, alg, publicKey, privateKey });
  }

  /** The key as a JWK set contains it. */
  get jwk() {
    const { kid, alg, publicKey } = this;
    return { ...publicKey.export({ format: "jwk" }), kid, alg, use: "sig" };
  }

  token(sub, header = {}) {
    const { alg, kid, privateKey: key } = this;
    return encodeJwt({ sub, exp: epochSeconds(600) }, { alg, key, header: { kid, ...header } });
  }
}

export class JwksServer {
  /** The paths that were requested. */
  requests = [];
  #port = 0;
  #keys = [];
  #server;
  #onRequest = () => {};

  get url() {
    return `http://127.0.0.1:${this.#port}/keys.json`;
  }

  /** Replaces the published keys. */
  publish(...keys) {
    this.#keys = keys.map((it) => it.jwk);
    return this;
  }

  async start(t) {
    this.#server = http.createServer((request, response) => {
      this.requests.push(request.url);
      this.#onRequest();
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ keys: this.#keys }));
    });
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = this.#server.address().port;
    t.after(() => this.stop());
    return this;
  }

  async stop() {
    if (!this.#server?.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** Waits for the next request. */
  nextRequest() {
    return withTimeout(
      "a request for the keys",
      new Promise((resolve) => (this.#onRequest = resolve)),
    );
  }
}
