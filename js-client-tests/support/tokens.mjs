// Tokens: those that the server's operator makes, and those that somebody forges.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";

import { roomcast } from "./command.mjs";

const HS256 = { alg: "HS256", typ: "JWT" };

/** A token made by `roomcast token`. */
export async function minted(server, user, ...args) {
  const made = await roomcast("token", "--user", user, "--data", server.data, ...args);
  assert.equal(made.code, 0, made.stderr);
  return made.stdout.trim();
}

/** A token with these claims, signed with the server's own key. */
export async function signed(server, claims, header = HS256) {
  return token(header, claims, await keyOf(server));
}

/** A token with these claims under some other signature. */
export function forged(claims, { header = HS256, key = "not the key" } = {}) {
  return token(header, claims, key);
}

/** What a token says. */
export function claimsOf(jwt) {
  return JSON.parse(Buffer.from(jwt.split(".")[1], "base64url"));
}

/** Seconds since 1970, `offset` from now. */
export function epoch(offset = 0) {
  return Math.floor(Date.now() / 1000) + offset;
}

function token(header, claims, key) {
  const [head, body] = [header, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString("base64url"),
  );
  return `${head}.${body}.${signature(`${head}.${body}`, key)}`;
}

function signature(text, key) {
  return createHmac("sha256", key).update(text).digest("base64url");
}

/** The key in `token.key`. How it is written there is the server's business: we try. */
async function keyOf(server) {
  const raw = await readFile(path.join(server.data, "token.key"));
  const text = raw.toString().trim();
  const decoded = ["hex", "base64", "base64url"].map((it) => Buffer.from(text, it));
  const readings = [raw, text, ...decoded];
  const sample = await minted(server, "sample");
  const [head, body, mac] = sample.split(".");
  const key = readings.find((it) => signature(`${head}.${body}`, it) === mac);
  return key ?? assert.fail("token.key is not the key that `roomcast token` signs with");
}
