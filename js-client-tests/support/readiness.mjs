// What `/health/ready` says of a node.

import assert from "node:assert/strict";

import { httpRequest } from "./http.mjs";
import { waitUntil } from "./wait-until.mjs";

/** Waits until a node is unready because of this part alone. Returns its failure. */
export async function untilFailed(node, part, code) {
  let failed;
  await waitUntil(`${part} to fail with ${code}`, async () => {
    const { status, body } = await httpRequest(node, "/health/ready");
    assert.equal(status === 200, body.status === "ready");
    failed = body.failed ?? [];
    return failed.length === 1 && failed[0].part === part && failed[0].code === code;
  });
  return failed[0];
}

/** Waits until a node is ready. */
export function untilReady(node) {
  return waitUntil("the node to be ready", async () => {
    const { status, body } = await httpRequest(node, "/health/ready");
    assert.equal(status === 200, body.status === "ready");
    return status === 200;
  });
}
