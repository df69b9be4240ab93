// Secrets that a test plants, and the check that no text contains one.

import assert from "node:assert/strict";

import { unique } from "./unique.mjs";

export class PlantedSecrets {
  #all;

  constructor(secrets = []) {
    this.#all = [...secrets];
  }

  /** A new secret that is easy to find in a log. */
  make(what) {
    const secret = unique(`PLANTED-${what}`);
    this.#all.push(secret);
    return secret;
  }

  /** Adds secrets that somebody else has made. */
  add(...secrets) {
    this.#all.push(...secrets);
  }

  /** Adds `secret`, and returns it as a password of Basic authorization, which is added, too. */
  basic(secret) {
    const encoded = Buffer.from(`user:${secret}`).toString("base64");
    this.#all.push(secret, encoded);
    return `Basic ${encoded}`;
  }

  /** Neither a whole secret nor the signature of a token. */
  assertAbsent(text, where) {
    const parts = new Set(this.#all.flatMap((it) => [it, it.split(".")[2] ?? it]));
    const found = [...parts].filter((it) => text.includes(it));
    assert.deepEqual(found, [], `${where} contains a secret`);
  }
}
