// A site that publishes keys, as identity providers have: it rotates them, goes down, comes back.

import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import http from "node:http";

import { within } from "./patience.mjs";
import { epoch, jwt } from "./tokens.mjs";

const KINDS = {
  RS256: ["rsa", { modulusLength: 2048 }],
  ES256: ["ec", { namedCurve: "P-256" }],
  ES384: ["ec", { namedCurve: "P-384" }],
  EdDSA: ["ed25519"],
};

/** A key with a name, and the tokens that it signs. */
export class SigningKey {
  constructor(kid, alg) {
    const { publicKey, privateKey } = generateKeyPairSync(...KINDS[alg]);
    Object.assign(this, { kid, alg, publicKey, privateKey });
  }

  /** What a set says of it. */
  get published() {
    const { kid, alg, publicKey } = this;
    return { ...publicKey.export({ format: "jwk" }), kid, alg, use: "sig" };
  }

  token(sub, header = {}) {
    const { alg, kid, privateKey: key } = this;
    return jwt({ sub, exp: epoch(600) }, { alg, key, header: { kid, ...header } });
  }
}

export class KeySite {
  /** The paths that were asked for. */
  requests = [];
  #port = 0;
  #keys = [];
  #server;
  #asked = () => {};

  get url() {
    return `http://127.0.0.1:${this.#port}/keys.json`;
  }

  /** From now on these are the keys. */
  publish(...keys) {
    this.#keys = keys.map((it) => it.published);
    return this;
  }

  async up(t) {
    this.#server = http.createServer((request, response) => {
      this.requests.push(request.url);
      this.#asked();
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ keys: this.#keys }));
    });
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = this.#server.address().port;
    t.after(() => this.down());
    return this;
  }

  async down() {
    if (!this.#server?.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** Waits until somebody asks. */
  asked() {
    return within("a request for the keys", new Promise((resolve) => (this.#asked = resolve)));
  }
}
