// An operator who lets in whom their back end has signed for: the settings, good tokens, and the
// one list of tokens that must open nothing.

import { generateKeyPairSync } from "node:crypto";
import { tempFile } from "./temp-file.mjs";
import { encodeJwt, epochSeconds, SECRET } from "./tokens.mjs";
import { unique } from "./unique.mjs";

const ISSUER = "https://id.example";
const AUDIENCE = "chat";

const pem = { type: "spki", format: "pem" };
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048, publicKeyEncoding: pem });
const otherRsa = generateKeyPairSync("rsa", { modulusLength: 2048 });

/** A server that takes HS256 by the secret and RS256 by a key. */
export const STRICT_TOKEN_SETTINGS = {
  "token.secret": SECRET,
  "token.keys": [{ pem_file: tempFile("rsa.pem", rsa.publicKey), algorithm: "RS256" }],
  "token.issuer": ISSUER,
  "token.audience": [AUDIENCE, "another"],
};

/** What a good token says of somebody nobody else is. */
export function validClaims(more = {}) {
  return { sub: unique("ann"), exp: epochSeconds(600), iss: ISSUER, aud: AUDIENCE, ...more };
}

/** A good token for `sub`, or for somebody. */
export function validToken(sub = unique("ann")) {
  return byRsa(validClaims({ sub }));
}

const LONG_KID = { kid: "k".repeat(5000) };

const bySecret = (it, more) => encodeJwt(it, { key: SECRET, ...more });
const byRsa = (it, more) => encodeJwt(it, { alg: "RS256", key: rsa.privateKey, ...more });
const without = (key) => ({ ...validClaims(), [key]: undefined });
const cut = (token) => token.replace(/[^.]*$/, "");
/** A token whose numbers are no JavaScript would write. */
const withText = (key, text) => JSON.stringify(validClaims({ [key]: "?" })).replace('"?"', text);

/** Makers of bad tokens, by the code with which they are refused. */
export const INVALID_TOKENS = {
  token_expired: {
    "is over": () => bySecret(validClaims({ exp: epochSeconds(-600) })),
    "was over a second ago": () => byRsa(validClaims({ exp: epochSeconds(-1) })),
  },
  unauthorized: {
    "is nonsense": () => "nonsense",
    "is three letters": () => "a.b.c",
    "is dots": () => "..",
    "has five parts, as if it were encrypted": () => `${cut(validToken())}${"AAAA.".repeat(2)}AAAA`,
    "has another secret's signature": () => bySecret(validClaims(), { key: "x".repeat(40) }),
    "has another key's signature": () => byRsa(validClaims(), { key: otherRsa.privateKey }),
    "has another key's signature, and is over": () =>
      byRsa(validClaims({ exp: epochSeconds(-600) }), { key: otherRsa.privateKey }),
    "has another token's signature": () => cut(validToken()) + validToken().split(".")[2],
    "lost its signature": () => cut(validToken()),
    "says that it needs no signature": () => bySecret(validClaims(), { alg: "none" }),
    "says so in other letters": () => cut(bySecret(validClaims(), { header: { alg: "nOnE" } })),
    "says so beside a signature": () =>
      encodeJwt(validClaims(), { alg: "none" }) + validToken().split(".")[2],
    "was signed with the public key as a secret": () =>
      bySecret(validClaims(), { key: rsa.publicKey }),
    "was signed with the public key, trimmed": () =>
      bySecret(validClaims(), { key: rsa.publicKey.trim() }),
    "has the right secret in another algorithm": () => bySecret(validClaims(), { alg: "HS512" }),
    "has the right key in another algorithm": () => byRsa(validClaims(), { alg: "PS256" }),
    "is for another audience": () => bySecret(validClaims({ aud: "shop" })),
    "is for other audiences": () => bySecret(validClaims({ aud: ["shop", "Chat", "chat2"] })),
    "is for nobody": () => bySecret(without("aud")),
    "is from another issuer": () => bySecret(validClaims({ iss: `${ISSUER}.evil.example` })),
    "is from nobody": () => bySecret(without("iss")),
    "is not good yet": () => bySecret(validClaims({ nbf: epochSeconds(600) })),
    "will be made later": () => bySecret(validClaims({ iat: epochSeconds(600) })),
    "is not good yet, in words": () => bySecret(validClaims({ nbf: "99999999999" })),
    "ends in words": () => bySecret(validClaims({ exp: `${epochSeconds(600)}` })),
    "has no end": () => bySecret(without("exp")),
    "ends at nothing": () => bySecret(validClaims({ exp: null })),
    "ends before 1970": () => bySecret(validClaims({ exp: -1 })),
    "ends beyond all numbers": () => bySecret(withText("exp", "1e400")),
    "ends beyond all calendars": () => bySecret(withText("exp", "1e300")),
    "names nobody": () => bySecret(without("sub")),
    "names a number": () => bySecret(validClaims({ sub: 7 })),
    "names an empty name": () => bySecret(validClaims({ sub: "" })),
    "names two lines": () => bySecret(validClaims({ sub: "two\nlines" })),
    "names what cannot be seen": () => bySecret(validClaims({ sub: "a\u200bb" })),
    "names 65 letters": () => bySecret(validClaims({ sub: "x".repeat(65) })),
    "names two": () => bySecret(withText("sub", '"ann","sub":"bob"')),
    "has rooms that are no list": () => bySecret(validClaims({ rooms: "team-*" })),
    "has rooms that are numbers": () => bySecret(validClaims({ rooms: [7] })),
    "has spaces that are no list": () => bySecret(validClaims({ spaces: "/shop" })),
    "has spaces that are none": () => bySecret(validClaims({ spaces: ["shop"] })),
    "has an administrator in words": () => bySecret(validClaims({ admin: "true" })),
    "has rules that nobody knows": () =>
      bySecret(validClaims(), { header: { crit: ["new"], new: true } }),
    "has an endless key id": () =>
      byRsa(validClaims(), { key: otherRsa.privateKey, header: LONG_KID }),
    "has a path for a key id": () =>
      bySecret(validClaims(), { key: "", header: { kid: "../../../../../../dev/null" } }),
    "is not an object": () => bySecret('["sub","exp"]'),
    "is no JSON": () => bySecret("sub=ann&exp=99999999999"),
    "is nested deep": () => bySecret(`${"[".repeat(2000)}${"]".repeat(2000)}`),
    "has 9 KiB": () => bySecret(validClaims({ more: "x".repeat(6700) })),
  },
};
