// TLS in the process: versions, names, reload, deadlines, and clients over it. docs/operations.md.

import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import https from "node:https";
import net from "node:net";
import { after, before, describe, test } from "node:test";

import { assertOk } from "../support/assert.mjs";
import { Authority, replaceCertificate } from "../support/certificates.mjs";
import { runRoomcast } from "../support/command.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { Server, serverForThisTest } from "../support/server.mjs";
import { socketIo, waitForUpgrade } from "../support/socket.io.mjs";
import { tempFile } from "../support/temp-file.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { servedName, handshake as tlsHandshake } from "../support/tls-client.mjs";
import { unique } from "../support/unique.mjs";
import { waitUntil } from "../support/wait-until.mjs";
import { wsJson } from "../support/ws.mjs";

const authority = new Authority();
let server;
let files;
/** The options of clients that trust the authority. */
let trusting;

before(async () => {
  await authority.start();
  files = await authority.issue("first");
  const other = await authority.issue("other", "DNS:other.example.com,DNS:*.example.org");
  const settings = { "tls.certificates": [files, other] };
  server = new Server({ settings, expectedLog: [/certificate reload failed/] });
  await server.start();
  trusting = { extra: { ca: authority.certificate } };
});
after(async () => {
  await server?.stop();
  await authority.end();
});

const CLIENTS = [
  wsJson,
  ...["polling", "websocket", "upgrade"].map((transport) => socketIo("4.8", transport)),
];

for (const type of CLIENTS) {
  test(`${type.label}: messages of any size arrive`, async (t) => {
    const room = unique("room");
    const ann = await joinAsGuest(t, type, server, "ann", { room, ...trusting });
    const bob = await joinAsGuest(t, wsJson, server, "bob", { room, ...trusting });
    if (type.transport === "upgrade") await waitForUpgrade(ann);
    const bodies = ["short", "x".repeat(60_000), ...Array.from({ length: 20 }, (_, n) => n)];
    for (const msg of bodies) assertOk(await bob.ask("send message", { room, msg }));
    for (const msg of bodies) assert.equal((await ann.next("new message")).msg, msg);
    assertOk(await ann.ask("send message", { room, msg: "back" }));
    for (const msg of [...bodies, "back"]) assert.equal((await bob.next("new message")).msg, msg);
  });
}

describe("a handshake", () => {
  test("has TLS 1.2 or 1.3, and nothing older", async () => {
    for (const version of ["TLSv1.2", "TLSv1.3"]) {
      const socket = await handshake({ minVersion: version, maxVersion: version });
      assert.equal(socket.getProtocol(), version);
      socket.destroy();
    }
    const old = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" };
    await assert.rejects(handshake(old), /alert protocol version|SSL/i);
  });

  test("selects the certificate by the name", async () => {
    for (const [servername, name] of [
      ["localhost", "first"],
      ["other.example.com", "other"],
      ["any.example.org", "other"],
      ["a.b.example.org", "first"],
    ]) {
      const socket = await handshake({ servername, rejectUnauthorized: false });
      assert.equal(socket.getPeerCertificate().subject.CN, name, servername);
      socket.destroy();
    }
  });

  test("agrees on http/1.1", async () => {
    const socket = await handshake({ ALPNProtocols: ["h2", "http/1.1"] });
    assert.equal(socket.alpnProtocol, "http/1.1");
    socket.destroy();
    await assert.rejects(handshake({ ALPNProtocols: ["h2"] }));
  });

  test("has a deadline, also for those who say nothing", async (t) => {
    const settings = { "tls.certificates": [files], "limits.request_head_wait_ms_max": 300 };
    const { port } = await serverForThisTest(t, { settings });
    for (const bytes of ["", "\x16\x03\x01", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"]) {
      const socket = net.connect(port, "127.0.0.1");
      socket.on("error", () => {});
      socket.resume();
      socket.write(bytes, "latin1");
      await withTimeout("the end of the connection", once(socket, "close"));
    }
  });
});

test("cookies are Secure", async () => {
  const url = `${server.url}/api/session`;
  const headers = { "content-type": "application/json" };
  const answer = await new Promise((resolve, reject) => {
    const options = { method: "POST", headers, ca: authority.certificate, agent: false };
    const request = https.request(url, options, resolve);
    request.once("error", reject);
    request.end(JSON.stringify({ name: unique("ann") }));
  });
  answer.resume();
  assert.match(String(answer.headers["set-cookie"]), /; Secure/);
});

test("changed files are served to new connections, and no connection is lost", async (t) => {
  const room = unique("room");
  const ann = await joinAsGuest(t, wsJson, server, "ann", { room, ...trusting });
  const polling = await joinAsGuest(t, socketIo("4.8", "polling"), server, "bob", {
    room,
    ...trusting,
  });
  const before = await served();
  await replaceCertificate(files, await authority.issue("second"));
  await waitUntil("the new certificate", async () => (await served()) === "second");
  assert.equal(before, "first");
  assertOk(await ann.ask("send message", { room, msg: "still here" }));
  assert.equal((await polling.next("new message")).msg, "still here");

  const warnings = () => server.log.filter((it) => it.includes("certificate reload failed"));
  await writeFile(files.cert, "nothing");
  await waitUntil("a warning", () => warnings().length === 1);
  assert.equal(await served(), "second");
  await replaceCertificate(files, await authority.issue("third"));
  await waitUntil("the third certificate", async () => (await served()) === "third");
  assert.equal(warnings().length, 1, "one warning per change");
  assertOk(await ann.ask("send message", { room, msg: "still here" }));
});

test("check-config refuses what cannot be served", async () => {
  const [one, two] = [await authority.issue("one"), await authority.issue("two")];
  const empty = tempFile("empty.pem", "");
  for (const [cert, key, why] of [
    [one.cert, two.key, /does not match the certificate/],
    [empty, one.key, /has no certificate in PEM form/],
    [one.cert, empty, /has no private key in PEM form/],
    [authority.path("none"), one.key, /No such file/],
  ]) {
    const text = `[[tls.certificates]]\ncert = "${cert}"\nkey = "${key}"\n`;
    const config = tempFile("tls.toml", text);
    for (const command of ["check-config", "serve"]) {
      const { code, stderr } = await runRoomcast(
        command,
        ...["--config", config, "--data", authority.path("data"), "--listen", "127.0.0.1:0"],
      );
      assert.equal(code, 2, stderr);
      assert.match(stderr, why);
      assert.match(stderr, /tls\.certificates/);
    }
  }
});

/** A connection whose handshake is complete. */
function handshake(options) {
  return tlsHandshake(server, authority.certificate, options);
}

/** The name in the certificate of a new connection. */
function served() {
  return servedName(server, authority.certificate);
}
