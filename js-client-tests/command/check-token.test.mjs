// `roomcast check-token`: the claims of a valid token, or why it is refused.

import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import https from "node:https";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { runProgram } from "../support/command.mjs";
import { ROOMCAST } from "../support/server.mjs";
import { epochSeconds } from "../support/tokens.mjs";

const SECRET = "hunter2 and forty more characters of secret";
const ED = generateKeyPairSync("ed25519");
const RSA = generateKeyPairSync("rsa", { modulusLength: 2048 });

test("all claims of a valid token are printed", async (t) => {
  const data = await folder(t);
  const made = await roomcast(data, [
    "token",
    "--new-key",
    "--user",
    "ann",
    "--name",
    "Ann Lee",
    "--ttl",
    "1h",
    "--space",
    "/shop",
    "--room",
    "news",
    "--room",
    "team-*",
    "--admin",
  ]);
  assert.equal(made.code, 0, made.stderr);
  for (const call of [{ input: `  ${made.stdout}\n` }, { args: [made.stdout.trim()] }]) {
    const { code, stdout, stderr } = await check(data, call);
    assert.deepEqual([code, stderr], [0, ""]);
    const [ok, ...lines] = stdout.trim().split("\n");
    assert.equal(ok, "ok");
    const printed = Object.fromEntries(lines.map((line) => line.split(": ")));
    const until = Date.parse(printed.until) / 1000;
    assert.ok(Math.abs(until - epochSeconds(3600)) < 60, printed.until);
    delete printed.until;
    const wanted = { user: "ann", name: "Ann Lee", spaces: "/shop", rooms: "news team-*" };
    assert.deepEqual(printed, { ...wanted, admin: "yes" });
  }
});

test("a token without restrictions is printed as such", async (t) => {
  const data = await folder(t);
  const made = await roomcast(data, ["token", "--user", "ann", "--new-key"]);
  const { stdout } = await check(data, { input: made.stdout });
  assert.match(stdout, /^spaces: all$/m);
  assert.match(stdout, /^rooms: all$/m);
  assert.doesNotMatch(stdout, /admin|guest|name/);
});

test("a refused token has exit code 3, a reason, and is not printed", async (t) => {
  const data = await folder(t);
  const good = { sub: "ann", exp: epochSeconds(60) };
  const env = { ROOMCAST_TOKEN_SECRET: SECRET };
  const cases = [
    ["hello", /not a JWT/],
    ["", /not a JWT/],
    ["x".repeat(100_000), /longer than 8192 bytes/],
    [hs256(good, { alg: "none" }), /not signed/],
    [hs256(good, { alg: "HS256" }, "another secret"), /signature/],
    [hs256(good, { alg: "ES256", kid: "k7" }), /no key for ES256 tokens with the `kid` "k7"/],
    [hs256(good, { alg: "HS256", crit: ["x"] }), /crit/],
    [hs256({ ...good, exp: epochSeconds(-60) }), /expired at \d{4}-/],
    [hs256({ ...good, nbf: epochSeconds(600) }), /not good before .*nbf/],
    [hs256({ ...good, exp: "soon" }), /`exp` is not a number/],
    [hs256({ exp: epochSeconds(60) }), /no `sub`/],
    [hs256({ ...good, rooms: "news" }), /`rooms` is not a list/],
  ];
  for (const [token, reason] of cases) {
    const { code, stdout, stderr } = await check(data, { input: token, env });
    assert.deepEqual([code, stdout], [3, ""], `${token}: ${stderr}`);
    assert.match(stderr, reason);
    assert.ok(token === "" || !stderr.includes(token), "the token is in the output");
    assert.ok(!stderr.includes("hunter2"), stderr);
  }
});

test("issuer and audience are those of the settings", async (t) => {
  const data = await folder(t);
  const set = ["--set", "token.issuer=https://id.example", "--set", "token.audience=chat"];
  const made = await roomcast(data, ["token", "--user", "ann", "--new-key", ...set]);
  assert.equal(
    (await check(data, { input: made.stdout, args: set })).code,
    0,
    "the server's own token is accepted",
  );
  const bare = await roomcast(data, ["token", "--user", "ann", "--new-key"]);
  const { code, stderr } = await check(data, { input: bare.stdout, args: set });
  assert.equal(code, 3);
  assert.match(stderr, /`iss` is not "https:\/\/id\.example" \(token\.issuer\)/);
});

test("the command changes nothing in the data directory", async (t) => {
  const data = await folder(t);
  assert.equal(
    (await check(data, { input: hs256({ sub: "ann", exp: epochSeconds(60) }) })).code,
    3,
  );
  assert.deepEqual(await readdir(data), []);
});

test("keys in files are used, and files that cannot be read are named at once", async (t) => {
  const data = await folder(t);
  const [pem, bad] = ["public.pem", "private.pem"].map((it) => path.join(data, it));
  await writeFile(pem, RSA.publicKey.export({ type: "spki", format: "pem" }));
  await writeFile(bad, RSA.privateKey.export({ type: "pkcs8", format: "pem" }));
  const key = (file) => ({
    ROOMCAST_TOKEN_KEYS: `[{ pem_file = '${file}', algorithm = 'RS256' }]`,
  });
  const token = signed("RS256", RSA.privateKey, { sub: "ann", exp: epochSeconds(60) });
  assert.equal((await check(data, { input: token, env: key(pem) })).code, 0);
  for (const command of ["check-config", "check-token", "token", "serve"]) {
    const args = [command, ...(command === "token" ? ["--user", "ann", "--new-key"] : [])];
    const { code, stderr } = await roomcast(path.join(data, "none"), args, { env: key(bad) });
    assert.equal(code, 2, `${command}: ${stderr}`);
    assert.match(stderr, /`token\.keys`: key 1.*private\.pem.*private key/);
  }
});

test("keys of a JWKS server are fetched, and a failure is reported", async (t) => {
  const data = await folder(t);
  let status = 200;
  const site = http.createServer((_, response) => response.writeHead(status).end(jwks()));
  const port = await listening(t, site);
  const env = at(`http://ann:hunter2@127.0.0.1:${port}/keys?k=hunter2`);
  const token = signed(
    "EdDSA",
    ED.privateKey,
    { sub: "ann", exp: epochSeconds(60) },
    { kid: "k1" },
  );
  assert.equal((await check(data, { input: token, env })).code, 0);
  status = 500;
  const { code, stderr } = await check(data, { input: token, env });
  assert.equal(code, 3);
  assert.match(stderr, /keys were never fetched/);
  assert.match(stderr, /keys of http:\/\/127\.0\.0\.1:\d+\/keys could not be fetched: .* 500/);
  assert.ok(!stderr.includes("hunter2"), stderr);
});

test("a JWKS server is trusted only by its own certificate", async (t) => {
  const data = await folder(t);
  const [key, cert, other] = ["key.pem", "cert.pem", "other.pem"].map((it) => path.join(data, it));
  for (const out of [other, cert]) {
    const made = await runProgram("openssl", [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      key,
      "-out",
      out,
      "-days",
      "2",
      "-subj",
      "/CN=test",
      "-addext",
      "subjectAltName=DNS:localhost",
      "-addext",
      "basicConstraints=critical,CA:FALSE",
    ]);
    assert.equal(made.code, 0, made.stderr);
  }
  const options = { key: await readFile(key), cert: await readFile(cert) };
  const site = https.createServer(options, (_, response) => response.end(jwks()));
  const port = await listening(t, site);
  const token = signed(
    "EdDSA",
    ED.privateKey,
    { sub: "ann", exp: epochSeconds(60) },
    { kid: "k1" },
  );
  const trusted = { SSL_CERT_FILE: cert };
  const only = { SSL_CERT_DIR: "" }; // the system's certificate store does not count
  const call = (url, env) => check(data, { input: token, env: { ...at(url), ...only, ...env } });
  const good = await call(`https://localhost:${port}/`, trusted);
  assert.equal(good.code, 0, good.stderr);
  const otherHost = await call(`https://127.0.0.1:${port}/`, trusted);
  assert.equal(otherHost.code, 3, "the certificate is for another host");
  assert.match(otherHost.stderr, /TLS failed/);
  const untrusted = await call(`https://localhost:${port}/`, { SSL_CERT_FILE: other });
  assert.equal(untrusted.code, 3, "its certificate is not trusted");
  assert.match(untrusted.stderr, /TLS failed/);
  const withoutCertificate = await call(`https://localhost:${port}/`, { SSL_CERT_FILE: key });
  assert.equal(withoutCertificate.code, 2, withoutCertificate.stderr);
  assert.match(withoutCertificate.stderr, /SSL_CERT_FILE/);
});

test("a key set is fetched through the proxy that the environment names", async (t) => {
  const data = await folder(t);
  const requests = [];
  const server = http.createServer(({ url }, response) => {
    requests.push(url);
    response.end(jwks());
  });
  const port = await listening(t, server);
  const claims = { sub: "ann", exp: epochSeconds(60) };
  const input = signed("EdDSA", ED.privateKey, claims, { kid: "k1" });
  const proxy = { HTTP_PROXY: `http://127.0.0.1:${port}`, NO_PROXY: "127.0.0.1" };
  for (const [url, requested] of [
    ["http://keys.invalid/set.json", "http://keys.invalid/set.json"],
    [`http://127.0.0.1:${port}/direct.json`, "/direct.json"],
  ]) {
    const { code, stderr } = await check(data, { input, env: { ...at(url), ...proxy } });
    assert.equal(code, 0, stderr);
    assert.equal(requests.pop(), requested);
  }
});

function roomcast(data, args, options) {
  return runProgram(ROOMCAST, [...args, "--data", data], options);
}

function check(data, { input = "", args = [], env = {} }) {
  return roomcast(data, ["check-token", ...args], { input, env });
}

function at(url) {
  return { ROOMCAST_TOKEN_KEYS: `[{ jwks_url = '${url}' }]` };
}

function jwks() {
  const key = ED.publicKey.export({ format: "jwk" });
  return JSON.stringify({ keys: [{ ...key, kid: "k1", use: "sig" }] });
}

function message(claims, header) {
  const part = (it) => Buffer.from(JSON.stringify(it)).toString("base64url");
  return `${part(header)}.${part(claims)}`;
}

function hs256(claims, header = { alg: "HS256" }, secret = SECRET) {
  const text = message(claims, header);
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

function signed(alg, key, claims, header = {}) {
  const text = message(claims, { alg, ...header });
  const hash = alg === "EdDSA" ? null : "sha256";
  return `${text}.${sign(hash, Buffer.from(text), key).toString("base64url")}`;
}

async function listening(t, server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return server.address().port;
}

async function folder(t) {
  const made = await mkdtemp(path.join(tmpdir(), "roomcast-"));
  t.after(() => rm(made, { recursive: true, force: true }));
  return made;
}
