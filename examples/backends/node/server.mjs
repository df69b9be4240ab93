// A back end in Node.js, without dependencies. It knows users by their session cookie, answers the
// event `add` and tells everybody, and publishes over the HTTP API when somebody orders.
//
//   node examples/backends/node/server.mjs

import { createHmac, timingSafeEqual } from "node:crypto";
import http from "node:http";

const SECRET = process.env.ROOMCAST_SECRET ?? "a secret of at least 24 bytes";
const PORT = Number(process.env.PORT ?? 8001);
const ROOMCAST_URL = process.env.ROOMCAST_URL ?? "http://127.0.0.1:3000";
const API_KEY = process.env.ROOMCAST_KEY ?? "rcast_an-example-of-a-key";
/** The users by the cookie that the application has given them. */
const SESSIONS = new Map([["session=of-ann", "ann"]]);
/** Requests that are older, or have another clock, are refused, so that none can be repeated. */
const TOLERATED_SECONDS = 300;

/** Whether Roomcast has sent this: the Standard Webhooks specification. */
function isSigned(headers, body) {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": list = "" } = headers;
  if (!(Math.abs(Date.now() / 1000 - timestamp) <= TOLERATED_SECONDS)) return false;
  const expected = createHmac("sha256", SECRET).update(`${id}.${timestamp}.${body}`).digest();
  return list.split(" ").some((signature) => {
    const given = Buffer.from(signature.replace(/^v1,/, ""), "base64");
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

function answer(call) {
  if (call.type === "connect") {
    const user = SESSIONS.get(call.headers.cookie);
    return user ? { identity: { user } } : {}; // without a session: a guest
  }
  return call.type === "event" && call.event === "add" ? add(call) : {};
}

function add({ args, connection }) {
  if (!args.every(Number.isFinite)) {
    return { refuse: { code: "not_numbers", message: "`add` takes numbers" } };
  }
  const sum = args.reduce((a, b) => a + b, 0);
  const told = { event: "sum", args: [sum], to: { space: true }, except: connection };
  return { ack: [sum], do: [{ emit: told }] };
}

/** Tells everybody about an order, from outside of any event. */
async function order(response) {
  const items = [{ event: "order:created", args: [{ at: Date.now() }], to: { space: true } }];
  const { status } = await fetch(`${ROOMCAST_URL}/api/v1/emit`, {
    method: "POST",
    headers: { Authorization: `Bearer ${API_KEY}`, "Content-Type": "application/json" },
    body: JSON.stringify({ items }),
  });
  response.writeHead(status === 200 ? 204 : 502).end();
}

http
  .createServer(async (request, response) => {
    if (request.url === "/orders") return order(response);
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    if (!isSigned(request.headers, body)) return response.writeHead(401).end();
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(answer(JSON.parse(body))));
  })
  .listen(PORT, "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}`));
