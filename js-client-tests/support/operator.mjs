// An operator who lets in whom their back end has signed for: the settings, good tokens, and the
// one list of tokens that must open nothing.

import { generateKeyPairSync } from "node:crypto";

import { unique } from "./names.mjs";
import { file } from "./scratch.mjs";
import { epoch, jwt, SECRET } from "./tokens.mjs";

const ISSUER = "https://id.example";
const AUDIENCE = "chat";

const pem = { type: "spki", format: "pem" };
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048, publicKeyEncoding: pem });
const stranger = generateKeyPairSync("rsa", { modulusLength: 2048 });

/** A server that takes HS256 by the secret and RS256 by a key. */
export const STRICT = {
  "token.secret": SECRET,
  "token.keys": [{ pem_file: file("rsa.pem", rsa.publicKey), algorithm: "RS256" }],
  "token.issuer": ISSUER,
  "token.audience": [AUDIENCE, "another"],
};

/** What a good token says of somebody nobody else is. */
export function claims(more = {}) {
  return { sub: unique("ann"), exp: epoch(600), iss: ISSUER, aud: AUDIENCE, ...more };
}

/** A good token for `sub`, or for somebody. */
export function good(sub = unique("ann")) {
  return byRsa(claims({ sub }));
}

const LONG_KID = { kid: "k".repeat(5000) };

const bySecret = (it, more) => jwt(it, { key: SECRET, ...more });
const byRsa = (it, more) => jwt(it, { alg: "RS256", key: rsa.privateKey, ...more });
const without = (key) => ({ ...claims(), [key]: undefined });
const cut = (token) => token.replace(/[^.]*$/, "");
/** A token whose numbers are no JavaScript would write. */
const withText = (key, text) => JSON.stringify(claims({ [key]: "?" })).replace('"?"', text);

/** Makers of bad tokens, by the code with which they are refused. */
export const BAD = {
  token_expired: {
    "is over": () => bySecret(claims({ exp: epoch(-600) })),
    "was over a second ago": () => byRsa(claims({ exp: epoch(-1) })),
  },
  unauthorized: {
    "is nonsense": () => "nonsense",
    "is three letters": () => "a.b.c",
    "is dots": () => "..",
    "has five parts, as if it were encrypted": () => `${cut(good())}${"AAAA.".repeat(2)}AAAA`,
    "has another secret's signature": () => bySecret(claims(), { key: "x".repeat(40) }),
    "has another key's signature": () => byRsa(claims(), { key: stranger.privateKey }),
    "has another key's signature, and is over": () =>
      byRsa(claims({ exp: epoch(-600) }), { key: stranger.privateKey }),
    "has another token's signature": () => cut(good()) + good().split(".")[2],
    "lost its signature": () => cut(good()),
    "says that it needs no signature": () => bySecret(claims(), { alg: "none" }),
    "says so in other letters": () => cut(bySecret(claims(), { header: { alg: "nOnE" } })),
    "says so beside a signature": () => jwt(claims(), { alg: "none" }) + good().split(".")[2],
    "was signed with the public key as a secret": () => bySecret(claims(), { key: rsa.publicKey }),
    "was signed with the public key, trimmed": () =>
      bySecret(claims(), { key: rsa.publicKey.trim() }),
    "has the right secret in another algorithm": () => bySecret(claims(), { alg: "HS512" }),
    "has the right key in another algorithm": () => byRsa(claims(), { alg: "PS256" }),
    "is for another audience": () => bySecret(claims({ aud: "shop" })),
    "is for other audiences": () => bySecret(claims({ aud: ["shop", "Chat", "chat2"] })),
    "is for nobody": () => bySecret(without("aud")),
    "is from another issuer": () => bySecret(claims({ iss: `${ISSUER}.evil.example` })),
    "is from nobody": () => bySecret(without("iss")),
    "is not good yet": () => bySecret(claims({ nbf: epoch(600) })),
    "will be made later": () => bySecret(claims({ iat: epoch(600) })),
    "is not good yet, in words": () => bySecret(claims({ nbf: "99999999999" })),
    "ends in words": () => bySecret(claims({ exp: `${epoch(600)}` })),
    "has no end": () => bySecret(without("exp")),
    "ends at nothing": () => bySecret(claims({ exp: null })),
    "ends before 1970": () => bySecret(claims({ exp: -1 })),
    "ends beyond all numbers": () => bySecret(withText("exp", "1e400")),
    "ends beyond all calendars": () => bySecret(withText("exp", "1e300")),
    "names nobody": () => bySecret(without("sub")),
    "names a number": () => bySecret(claims({ sub: 7 })),
    "names an empty name": () => bySecret(claims({ sub: "" })),
    "names two lines": () => bySecret(claims({ sub: "two\nlines" })),
    "names what cannot be seen": () => bySecret(claims({ sub: "a\u200bb" })),
    "names 65 letters": () => bySecret(claims({ sub: "x".repeat(65) })),
    "names two": () => bySecret(withText("sub", '"ann","sub":"bob"')),
    "has rooms that are no list": () => bySecret(claims({ rooms: "team-*" })),
    "has rooms that are numbers": () => bySecret(claims({ rooms: [7] })),
    "has spaces that are no list": () => bySecret(claims({ spaces: "/shop" })),
    "has spaces that are none": () => bySecret(claims({ spaces: ["shop"] })),
    "has an administrator in words": () => bySecret(claims({ admin: "true" })),
    "has rules that nobody knows": () =>
      bySecret(claims(), { header: { crit: ["new"], new: true } }),
    "has an endless key id": () => byRsa(claims(), { key: stranger.privateKey, header: LONG_KID }),
    "has a path for a key id": () =>
      bySecret(claims(), { key: "", header: { kid: "../../../../../../dev/null" } }),
    "is not an object": () => bySecret('["sub","exp"]'),
    "is no JSON": () => bySecret("sub=ann&exp=99999999999"),
    "is nested deep": () => bySecret(`${"[".repeat(2000)}${"]".repeat(2000)}`),
    "has 9 KiB": () => bySecret(claims({ more: "x".repeat(6700) })),
  },
};
