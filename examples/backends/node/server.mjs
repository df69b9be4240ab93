// A back end in Node.js, without dependencies: it answers the event `add`, and tells everybody.
//
//   node examples/backends/node/server.mjs

import { createHmac, timingSafeEqual } from "node:crypto";
import http from "node:http";

const SECRET = process.env.ROOMCAST_SECRET ?? "a secret of at least 24 bytes";
const PORT = Number(process.env.PORT ?? 8001);
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

function answer({ type, event, args, connection }) {
  if (type !== "event" || event !== "add") return {};
  if (!args.every(Number.isFinite)) {
    return { refuse: { code: "not_numbers", message: "`add` takes numbers" } };
  }
  const sum = args.reduce((a, b) => a + b, 0);
  const told = { event: "sum", args: [sum], to: { space: true }, except: connection };
  return { ack: [sum], do: [{ emit: told }] };
}

http
  .createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    if (!isSigned(request.headers, body)) return response.writeHead(401).end();
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(answer(JSON.parse(body))));
  })
  .listen(PORT, "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}`));
