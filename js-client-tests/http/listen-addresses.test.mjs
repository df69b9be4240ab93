// Several addresses: TCP of both families, a Unix socket, sockets of systemd. docs/operations.md.

import assert from "node:assert/strict";
import { mkdtemp, rm, stat } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { API_SETTINGS, MANAGE_KEY } from "../support/api.mjs";
import { assertOk } from "../support/assert.mjs";
import { startProcess } from "../support/child-process.mjs";
import { connectAnonymously, joinAsGuest } from "../support/fixtures.mjs";
import { ROOMCAST, serverForThisTest } from "../support/server.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { SocketHolder } from "../support/socket-holder.mjs";
import { withTimeout } from "../support/timeouts.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const CLIENTS = [wsJson, socketIo("4.8", "polling"), socketIo("4.8", "websocket")];

test("clients of all addresses share rooms", async (t) => {
  const socketPath = path.join(await folder(t), "roomcast.sock");
  const server = await serverForThisTest(t, { more: ["[::1]:0", `unix:${socketPath}`] });
  const [v6, unix] = server.moreAddresses;
  assert.match(v6, /^http:\/\/\[::1\]:\d+$/);
  assert.equal(unix, `unix:${socketPath}`);
  assert.equal((await stat(socketPath)).mode & 0o777, 0o660);
  const room = unique("room");
  const ann = await joinAsGuest(t, wsJson, server, "ann", { room });
  for (const type of CLIENTS) {
    for (const [place, extra] of [
      [{ url: v6 }, {}],
      // The host of the page is checked, so it must be the request's.
      [server, { agent: new http.Agent({ socketPath, keepAlive: true }) }],
    ]) {
      const bob = await joinAsGuest(t, type, place, "bob", { room, extra });
      assertOk(await bob.ask("send message", { room, msg: "x".repeat(100_000) }));
      assert.equal((await ann.next("new message")).username, bob.name);
      assert.equal((await bob.next("new message")).username, bob.name);
      bob.close();
    }
  }
  await server.stop();
  await assert.rejects(stat(socketPath), /ENOENT/);
});

test("the proxy at a Unix socket names the client", async (t) => {
  const socketPath = path.join(await folder(t), "roomcast.sock");
  const settings = { ...API_SETTINGS, spaces: ["/unix-*"] };
  const server = await serverForThisTest(t, { settings, more: [`unix:${socketPath}`] });
  const agent = () => new http.Agent({ socketPath });
  for (const type of CLIENTS) {
    for (const headers of [undefined, { "x-forwarded-for": "203.0.113.7" }]) {
      const space = unique("/unix");
      const extra = { agent: agent() };
      await connectAnonymously(t, type, server, { space, headers, extra });
      const listed = await fetch(`${server.url}/api/v1/connections?space=${space}`, {
        headers: { authorization: `Bearer ${MANAGE_KEY}` },
      });
      const { connections } = await listed.json();
      assert.deepEqual(
        connections.map(({ address }) => address),
        [headers && "203.0.113.7"],
      );
    }
  }
});

test("the sockets of systemd are served, and outlive the process", async (t) => {
  const args = ["serve", "--listen", "systemd", "--data", await folder(t)];
  const server = await SocketHolder.open(t, args, { ROOMCAST_STORE: "memory" });
  for (let start = 0; start < 2; start += 1) {
    // Nobody is refused: connections wait until the process is ready.
    const early = joinAsGuest(t, wsJson, server, "ann");
    server.start();
    assert.equal(await server.ready(), `listening on ${server.url}`);
    const ann = await early;
    assertOk(await ann.ask("send message", "hello"));
    server.stop();
    assert.equal(await server.exit(), 0);
  }
});

test("the sockets of systemd are divided by their names, and back ends are not refused", async (t) => {
  const args = ["serve", "--listen", "systemd", "--data", await folder(t)];
  const env = { ROOMCAST_STORE: "memory", ROOMCAST_ADMIN_LISTEN: "systemd" };
  const server = await SocketHolder.open(t, args, env, ["clients", "admin", "more"]);
  const [clients, admin, more] = [0, 1, 2].map((place) => server.urlOf(place));
  const status = async (url, path) => (await fetch(`${url}${path}`)).status;
  for (let start = 0; start < 2; start += 1) {
    const early = status(admin, "/api/v1/users");
    server.start();
    assert.equal(await server.ready(), `listening on ${clients}, ${more}, API on ${admin}`);
    assert.equal(await early, 401, "it waited for the process");
    for (const url of [clients, more]) {
      assert.equal(await status(url, "/api/v1/users"), 404);
      assert.equal(await status(url, "/socket.io/?EIO=4&transport=polling"), 200);
    }
    server.stop();
    assert.equal(await server.exit(), 0, server.log.join("\n"));
  }
});

test("a socket that no setting takes is named in the log, and none is no address", async (t) => {
  const args = ["serve", "--listen", "systemd", "--data", await folder(t)];
  const env = { ROOMCAST_STORE: "memory" };
  const unused = await SocketHolder.open(t, args, env, ["clients", "admin"]);
  unused.start();
  assert.equal(await unused.ready(), `listening on ${unused.url}`);
  assert.match(unused.log.join("\n"), /WARN.*inherited sockets unused/);
  unused.stop();
  assert.equal(await unused.exit(), 0);
  const without = await SocketHolder.open(t, args, { ...env, ROOMCAST_ADMIN_LISTEN: "systemd" });
  without.start();
  assert.equal(await without.exit(), 2);
  assert.match(without.log.join("\n"), /`admin\.listen`: cannot listen on systemd: .*LISTEN_FDS/);
});

test("without sockets of systemd the server does not start", async (t) => {
  const args = ["serve", "--listen", "systemd", "--data", await folder(t)];
  const child = startProcess(ROOMCAST, args, { stdio: ["ignore", "ignore", "pipe"] });
  const lines = [];
  child.stderr.setEncoding("utf8").on("data", (text) => lines.push(text));
  assert.equal((await withTimeout("the exit", child.exited)).code, 2);
  assert.match(lines.join(""), /`listen`: cannot listen on systemd: .*LISTEN_FDS/);
});

async function folder(t) {
  const home = await mkdtemp(path.join(tmpdir(), "roomcast-listen-"));
  t.after(() => rm(home, { recursive: true, force: true }));
  return home;
}
