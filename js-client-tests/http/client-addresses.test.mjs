// The addresses of clients behind proxies, as the list of connections and back ends see them.
// docs/operations.md.

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, test } from "node:test";

import { API_SETTINGS, askApi } from "../support/api.mjs";
import { connectAnonymously } from "../support/fixtures.mjs";
import { readQuestion } from "../support/pages.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo, waitForUpgrade } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const settings = { ...API_SETTINGS, spaces: ["/address-*"] };
const trusting = serverForThisFile({
  settings: { ...settings, trusted_proxies: ["127.0.0.1", "10.0.0.0/8"] },
});
const reading7239 = serverForThisFile({
  settings: { ...settings, trusted_proxies: ["127.0.0.0/8"], forwarded_header: "forwarded" },
});
const trustingNobody = serverForThisFile({ settings });
const announced = serverForThisFile({
  settings: { ...settings, trusted_proxies: ["127.0.0.1"], proxy_protocol: "on" },
});

const CLIENTS = [
  wsJson,
  ...["polling", "websocket", "upgrade"].map((transport) => socketIo("4.8", transport)),
];

/** What the client claims, and what a proxy has added. */
const CHAIN = { "x-forwarded-for": "198.51.100.1, 203.0.113.7, 10.0.0.2" };

for (const type of CLIENTS) {
  describe(type.label, () => {
    test("a trusted proxy names the client", async (t) => {
      assert.equal(await addressOf(t, type, trusting, { headers: CHAIN }), "203.0.113.7");
      const headers = { ...CHAIN, forwarded: 'for="[2001:db8::7]:4711";proto=https' };
      assert.equal(await addressOf(t, type, trusting, { headers }), "203.0.113.7");
      assert.equal(await addressOf(t, type, reading7239, { headers }), "2001:db8::7");
    });

    test("others claim what they like", async (t) => {
      assert.equal(await addressOf(t, type, trustingNobody, { headers: CHAIN }), "127.0.0.1");
    });

    test("a balancer announces the client with the PROXY protocol", async (t) => {
      const balancer = await balancerForThisTest(
        t,
        announced,
        "PROXY TCP6 2001:db8::9 ::1 1 2\r\n",
      );
      const address = await addressOf(t, type, announced, { through: balancer, headers: CHAIN });
      assert.equal(address, "2001:db8::9", "its client is no trusted proxy");
    });
  });
}

test("without the announcement a trusted balancer is refused", async (t) => {
  await assert.rejects(askApi(announced, "connections"));
  const balancer = await balancerForThisTest(t, announced, "PROXY UNKNOWN\r\n");
  assert.equal((await askApi(balancer, "connections")).status, 200);
});

/** The address of a connection of this client, in the list of connections. */
async function addressOf(t, type, server, { through = server, headers }) {
  const space = unique("/address");
  const client = await connectAnonymously(t, type, through, { space, headers });
  if (type.transport === "upgrade") await waitForUpgrade(client);
  const listed = await readQuestion(through, "connections", { space });
  assert.equal(listed.connections.length, 1);
  client.close();
  return listed.connections[0].address;
}

/** A TCP balancer that begins each connection to the server with this header. */
async function balancerForThisTest(t, server, header) {
  const sockets = new Set();
  const listener = net.createServer((near) => {
    const far = net.connect(server.port, "127.0.0.1");
    far.write(header);
    for (const it of [near, far]) {
      sockets.add(it);
      it.on("error", () => {});
    }
    near.pipe(far).pipe(near);
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  t.after(() => {
    for (const it of sockets) it.destroy();
    listener.close();
  });
  return { url: `http://127.0.0.1:${listener.address().port}` };
}
