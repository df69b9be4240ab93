// Behind nginx, HAProxy and Caddy with TLS, configured as docs/operations.md and docs/cluster.md show.

import assert from "node:assert/strict";
import https from "node:https";
import { after, before, describe, test } from "node:test";

import { API_SETTINGS, MANAGE_KEY } from "../support/api.mjs";
import { assertOk } from "../support/assert.mjs";
import { Authority } from "../support/certificates.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { nginxForThisTest } from "../support/nginx.mjs";
import { readQuestion } from "../support/pages.mjs";
import { caddyForThisTest, haproxyForThisTest } from "../support/reverse-proxies.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { socketIo, waitForUpgrade } from "../support/socket.io.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

/** The address of the clients; that of the proxies is trusted. */
const CLIENT = "127.0.0.9";

const settings = { ...API_SETTINGS, trusted_proxies: ["127.0.0.1"], spaces: ["/proxy-*"] };
const plain = serverForThisFile({ settings });
const announced = serverForThisFile({ settings: { ...settings, proxy_protocol: "on" } });

const authority = new Authority();
let certificate;
before(async () => {
  await authority.start();
  certificate = await authority.issue("chat");
});
after(() => authority.end());

const PROXIES = {
  nginx: (t) => nginxForThisTest(t, [plain], certificate),
  HAProxy: (t) => haproxyForThisTest(t, plain, certificate),
  "HAProxy with the PROXY protocol": (t) =>
    haproxyForThisTest(t, announced, certificate, "send-proxy-v2"),
  Caddy: (t) => caddyForThisTest(t, plain, certificate),
};

const CLIENTS = [
  wsJson,
  ...["polling", "websocket", "upgrade"].map((transport) => socketIo("4.8", transport)),
];

for (const [name, start] of Object.entries(PROXIES)) {
  describe(name, () => {
    test("clients of all transports meet, and their addresses are known", async (t) => {
      const proxy = await start(t);
      const agent = new https.Agent({
        ca: authority.certificate,
        localAddress: CLIENT,
        keepAlive: true,
      });
      t.after(() => agent.destroy());
      const options = {
        space: unique("/proxy"),
        headers: { "x-forwarded-for": "203.0.113.7" },
        extra: { agent, ca: authority.certificate },
      };
      const members = [];
      for (const type of CLIENTS) {
        const member = await joinAsGuest(t, type, proxy, "member", options);
        if (type.transport === "upgrade") await waitForUpgrade(member);
        members.push(member);
      }
      for (const author of members) {
        const msg = "x".repeat(50_000);
        assertOk(await author.ask("send message", msg));
        for (const it of members) {
          const { username, ...message } = await it.next("new message");
          assert.equal(username, author.name);
          assert.equal(message.msg, msg);
        }
      }
      const server = name.includes("PROXY") ? announced : plain;
      const connections = await connectionsOf(server, proxy, agent, options.space);
      assert.deepEqual(
        connections.map(({ address }) => address),
        CLIENTS.map(() => CLIENT),
      );
      assert.match(await cookieOf(proxy, agent), /; Secure/);
    });
  });
}

/** The connections in a space. A server with the PROXY protocol is asked through its proxy. */
async function connectionsOf(server, proxy, agent, space) {
  if (server === plain) return (await readQuestion(server, "connections", { space })).connections;
  const headers = { authorization: `Bearer ${MANAGE_KEY}` };
  const path = `/api/v1/connections?space=${encodeURIComponent(space)}`;
  const { body } = await request(proxy, path, { agent, headers });
  return JSON.parse(body).connections;
}

/** The cookie of a new session. */
async function cookieOf(proxy, agent) {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ name: unique("ann") });
  const answer = await request(proxy, "/api/session", { agent, headers, method: "POST" }, body);
  return String(answer.headers["set-cookie"]);
}

function request({ url }, path, options, sent) {
  return new Promise((resolve, reject) => {
    const request = https.request(url + path, options, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (text) => (body += text));
      answer.once("end", () => resolve({ headers: answer.headers, body }));
    });
    request.once("error", reject);
    request.end(sent);
  });
}
