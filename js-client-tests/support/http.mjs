// HTTP requests that `fetch` cannot send: upgrades, repeated headers, a chosen Origin.

import { randomBytes } from "node:crypto";
import http from "node:http";

import { withTimeout } from "./timeouts.mjs";

/**
 * One request and its whole answer; 101 is an answer, too. An array of values repeats the header.
 */
export function httpRequest(server, path, { method = "GET", headers = {}, body } = {}) {
  const { host } = new URL(server.url);
  const answer = new Promise((resolve, reject) => {
    const request = http.request(`http://${host}`, { method, path, headers, agent: false });
    request.once("error", reject);
    request.once("upgrade", (response, socket) => {
      socket.destroy();
      resolve(answerOf(response, ""));
    });
    request.once("response", (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.once("end", () => resolve(answerOf(response, Buffer.concat(chunks).toString())));
    });
    request.end(body);
  });
  return withTimeout(`the answer to ${method} ${path}`, answer);
}

/** The headers of a WebSocket handshake. */
export function upgradeHeaders() {
  return {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": randomBytes(16).toString("base64"),
  };
}

function answerOf({ statusCode: status, headers }, text) {
  const isJson = text !== "" && headers["content-type"]?.includes("json");
  return { status, headers, body: isJson ? JSON.parse(text) : text };
}
