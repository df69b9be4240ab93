// Settings for token verification, valid tokens, and every kind of token that must be refused.

import { generateKeyPairSync } from "node:crypto";

import { tempFile } from "./temp-file.mjs";
import { encodeJwt, epochSeconds, SECRET } from "./tokens.mjs";
import { unique } from "./unique.mjs";

const ISSUER = "https://id.example";
const AUDIENCE = "chat";

const pem = { type: "spki", format: "pem" };
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048, publicKeyEncoding: pem });
const otherRsa = generateKeyPairSync("rsa", { modulusLength: 2048 });

/** The server accepts HS256 with a secret and RS256 with a key. */
export const STRICT_TOKEN_SETTINGS = {
  "token.secret": SECRET,
  "token.keys": [{ pem_file: tempFile("rsa.pem", rsa.publicKey), algorithm: "RS256" }],
  "token.issuer": ISSUER,
  "token.audience": [AUDIENCE, "another"],
};

/** The claims of a valid token for a unique user. */
export function validClaims(more = {}) {
  return { sub: unique("ann"), exp: epochSeconds(600), iss: ISSUER, aud: AUDIENCE, ...more };
}

/** A valid token for `sub`, or for a unique user. */
export function validToken(sub = unique("ann")) {
  return byRsa(validClaims({ sub }));
}

const LONG_KEY_ID = { kid: "k".repeat(5000) };

const bySecret = (it, more) => encodeJwt(it, { key: SECRET, ...more });
const byRsa = (it, more) => encodeJwt(it, { alg: "RS256", key: rsa.privateKey, ...more });
const without = (key) => ({ ...validClaims(), [key]: undefined });
const cut = (token) => token.replace(/[^.]*$/, "");
/** A token with number literals that JavaScript would not write. */
const withText = (key, text) => JSON.stringify(validClaims({ [key]: "?" })).replace('"?"', text);

/** Functions that make invalid tokens, by the code of the refusal. */
export const INVALID_TOKENS = {
  token_expired: {
    "has expired": () => bySecret(validClaims({ exp: epochSeconds(-600) })),
    "expired a second ago": () => byRsa(validClaims({ exp: epochSeconds(-1) })),
  },
  unauthorized: {
    "is nonsense": () => "nonsense",
    "is three letters": () => "a.b.c",
    "consists of dots": () => "..",
    "has five parts, as if it were encrypted": () => `${cut(validToken())}${"AAAA.".repeat(2)}AAAA`,
    "has another secret's signature": () => bySecret(validClaims(), { key: "x".repeat(40) }),
    "has another key's signature": () => byRsa(validClaims(), { key: otherRsa.privateKey }),
    "has another key's signature, and has expired": () =>
      byRsa(validClaims({ exp: epochSeconds(-600) }), { key: otherRsa.privateKey }),
    "has another token's signature": () => cut(validToken()) + validToken().split(".")[2],
    "has no signature": () => cut(validToken()),
    "has the algorithm none": () => bySecret(validClaims(), { alg: "none" }),
    "has the algorithm nOnE": () => cut(bySecret(validClaims(), { header: { alg: "nOnE" } })),
    "has the algorithm none and a signature": () =>
      encodeJwt(validClaims(), { alg: "none" }) + validToken().split(".")[2],
    "was signed with the public key as a secret": () =>
      bySecret(validClaims(), { key: rsa.publicKey }),
    "was signed with the public key, trimmed": () =>
      bySecret(validClaims(), { key: rsa.publicKey.trim() }),
    "has the right secret in another algorithm": () => bySecret(validClaims(), { alg: "HS512" }),
    "has the right key in another algorithm": () => byRsa(validClaims(), { alg: "PS256" }),
    "is for another audience": () => bySecret(validClaims({ aud: "shop" })),
    "is for other audiences": () => bySecret(validClaims({ aud: ["shop", "Chat", "chat2"] })),
    "has no audience": () => bySecret(without("aud")),
    "is from another issuer": () => bySecret(validClaims({ iss: `${ISSUER}.evil.example` })),
    "has no issuer": () => bySecret(without("iss")),
    "is not valid yet": () => bySecret(validClaims({ nbf: epochSeconds(600) })),
    "is issued in the future": () => bySecret(validClaims({ iat: epochSeconds(600) })),
    "has text in nbf": () => bySecret(validClaims({ nbf: "99999999999" })),
    "has text in exp": () => bySecret(validClaims({ exp: `${epochSeconds(600)}` })),
    "has no exp": () => bySecret(without("exp")),
    "has a null exp": () => bySecret(validClaims({ exp: null })),
    "has a negative exp": () => bySecret(validClaims({ exp: -1 })),
    "has an exp that overflows": () => bySecret(withText("exp", "1e400")),
    "has an exp beyond the calendar": () => bySecret(withText("exp", "1e300")),
    "has no sub": () => bySecret(without("sub")),
    "has a number as sub": () => bySecret(validClaims({ sub: 7 })),
    "has an empty sub": () => bySecret(validClaims({ sub: "" })),
    "has a line break in sub": () => bySecret(validClaims({ sub: "two\nlines" })),
    "has an invisible character in sub": () => bySecret(validClaims({ sub: "a\u200bb" })),
    "has 65 letters in sub": () => bySecret(validClaims({ sub: "x".repeat(65) })),
    "has two subs": () => bySecret(withText("sub", '"ann","sub":"bob"')),
    "has rooms that are not a list": () => bySecret(validClaims({ rooms: "team-*" })),
    "has rooms that are numbers": () => bySecret(validClaims({ rooms: [7] })),
    "has spaces that are not a list": () => bySecret(validClaims({ spaces: "/shop" })),
    "has spaces with an invalid name": () => bySecret(validClaims({ spaces: ["shop"] })),
    "has text in admin": () => bySecret(validClaims({ admin: "true" })),
    "has an unknown critical header": () =>
      bySecret(validClaims(), { header: { crit: ["new"], new: true } }),
    "has a key id of 5000 letters": () =>
      byRsa(validClaims(), { key: otherRsa.privateKey, header: LONG_KEY_ID }),
    "has a path as key id": () =>
      bySecret(validClaims(), { key: "", header: { kid: "../../../../../../dev/null" } }),
    "is not an object": () => bySecret('["sub","exp"]'),
    "is not JSON": () => bySecret("sub=ann&exp=99999999999"),
    "is deeply nested": () => bySecret(`${"[".repeat(2000)}${"]".repeat(2000)}`),
    "has a size of 9 KiB": () => bySecret(validClaims({ more: "x".repeat(6700) })),
  },
};
