// Keys and calls of the HTTP API. docs/api.md.

import { createHash } from "node:crypto";

import { httpRequest } from "./http.mjs";

/** The keys of `API_SETTINGS`. */
export const PUBLISH_KEY = "rcast_publish-only-0123456789";
export const MANAGE_KEY = "rcast_manage-and-publish-0123";
export const SHOP_KEY = "rcast_one-space-0123456789abc";
/** Everything, but in the space `/` alone. */
export const ROOT_KEY = "rcast_root-space-0123456789ab";

/** What the settings say of a key with this text. */
export const apiKey = (name, text, scopes, more = {}) => ({
  name,
  sha256: createHash("sha256").update(text).digest("hex"),
  scopes,
  ...more,
});

/** What a server needs for these keys. */
export const API_SETTINGS = {
  spaces: ["/shop"],
  api_keys: [
    apiKey("publisher", PUBLISH_KEY, ["publish"]),
    apiKey("manager", MANAGE_KEY, ["publish", "read", "manage"]),
    apiKey("shop", SHOP_KEY, ["publish"], { spaces: ["/shop"] }),
    apiKey("root", ROOT_KEY, ["publish", "read", "manage"], { spaces: ["/"] }),
  ],
};

/** The answer to a call; `body` is JSON or a text. */
export function callApi(server, route, body, bearer = MANAGE_KEY) {
  return httpRequest(server, `/api/v1/${route}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(bearer && { authorization: `Bearer ${bearer}` }),
    },
    body: typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body),
  });
}

/** The answer to a question. */
export function askApi(server, question, bearer = MANAGE_KEY) {
  const headers = { authorization: `Bearer ${bearer}` };
  return httpRequest(server, `/api/v1/${question}`, { headers });
}

/** The answer to a `DELETE`. */
export function deleteByApi(server, question, bearer = MANAGE_KEY) {
  const headers = { authorization: `Bearer ${bearer}` };
  return httpRequest(server, `/api/v1/${question}`, { method: "DELETE", headers });
}

/** The answer to a request that changes what a path names. */
export function changeByApi(server, method, path, body, bearer = MANAGE_KEY) {
  return httpRequest(server, `/api/v1/${path}`, {
    method,
    headers: {
      authorization: `Bearer ${bearer}`,
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    body: typeof body === "object" ? JSON.stringify(body) : body,
  });
}
