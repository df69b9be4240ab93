// Tokens: minted by the server's command, or signed by the tests.

import assert from "node:assert/strict";
import { constants, createHmac, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";

import { runProgram } from "./command.mjs";
import { ROOMCAST } from "./server.mjs";

/** A secret for the setting `token.secret`. */
export const SECRET = "a token secret for tests, long enough";

/** How each algorithm signs. */
const SIGNERS = {
  none: () => Buffer.alloc(0),
  HS256: (text, key) => createHmac("sha256", key).update(text).digest(),
  HS384: (text, key) => createHmac("sha384", key).update(text).digest(),
  HS512: (text, key) => createHmac("sha512", key).update(text).digest(),
  RS256: (text, key) => sign("sha256", Buffer.from(text), key),
  PS256: (text, key) => sign("sha256", Buffer.from(text), pss(key)),
  ES256: (text, key) => sign("sha256", Buffer.from(text), flat(key)),
  ES384: (text, key) => sign("sha384", Buffer.from(text), flat(key)),
  EdDSA: (text, key) => sign(null, Buffer.from(text), key),
};

/** A token from `roomcast token`. */
export async function mintToken(server, user, ...args) {
  const env = server.secret === undefined ? {} : { ROOMCAST_TOKEN_SECRET: server.secret };
  const words = ["token", "--user", user, "--data", server.data, ...args];
  const made = await runProgram(ROOMCAST, words, { env });
  assert.equal(made.code, 0, made.stderr);
  return made.stdout.trim();
}

/** A token with these claims, signed with the server's own key. */
export async function signToken(server, claims, header) {
  return encodeJwt(claims, { header, key: server.secret ?? (await keyOf(server)) });
}

/** A token: `claims` are an object or the payload text, `header` extends the header. */
export function encodeJwt(claims, { alg = "HS256", key, header = {} }) {
  const head = { alg, typ: "JWT", ...header };
  const parts = [JSON.stringify(head), asText(claims)];
  const text = parts.map((it) => Buffer.from(it).toString("base64url"));
  const signature = (SIGNERS[head.alg] ?? SIGNERS.none)(text.join("."), key);
  return [...text, signature.toString("base64url")].join(".");
}

/** The claims of a token. */
export function decodeClaims(jwt) {
  return JSON.parse(Buffer.from(jwt.split(".")[1], "base64url"));
}

/** Seconds since 1970, `offset` from now. */
export function epochSeconds(offset = 0) {
  return Math.floor(Date.now() / 1000) + offset;
}

const asText = (claims) => (typeof claims === "string" ? claims : JSON.stringify(claims));
const flat = (key) => ({ key, dsaEncoding: "ieee-p1363" });
const pss = (key) => ({ key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });

/** The key in `token.key`. The file's encoding is not documented, so all likely ones are tried. */
async function keyOf(server) {
  const raw = await readFile(path.join(server.data, "token.key"));
  const text = raw.toString().trim();
  const decoded = ["hex", "base64", "base64url"].map((it) => Buffer.from(text, it));
  const readings = [raw, text, ...decoded];
  const sample = await mintToken(server, "sample");
  const [, , mac] = sample.split(".");
  const signs = (it) => SIGNERS.HS256(sample.replace(/\.[^.]*$/, ""), it).toString("base64url");
  const key = readings.find((it) => signs(it) === mac);
  return key ?? assert.fail("token.key is not the key that `roomcast token` signs with");
}
