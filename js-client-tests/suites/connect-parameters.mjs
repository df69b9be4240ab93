// What is refused at the door, besides bad tokens. docs/protocol.md "Connecting".

import assert from "node:assert/strict";
import { test } from "node:test";

export function connectParameters(clientType, server) {
  test("a `since` that is not one is refused", async () => {
    for (const since of [{ lobby: "soon" }, { lobby: -1 }, { lobby: 1.5 }]) {
      assert.equal(
        await clientType.refusal(server, { since }),
        "bad_request",
        JSON.stringify(since),
      );
    }
    assert.equal(await clientType.refusal(server, { since: { "two words": 1 } }), "room_invalid");
  });

  test("a device that is not one is refused", async () => {
    for (const device of ["two words", "", "ümlaut", "x".repeat(65)]) {
      assert.equal(await clientType.refusal(server, { device }), "id_invalid", device);
    }
  });

  test("a room that is not one is refused", async () => {
    assert.equal(await clientType.refusal(server, { room: "two words" }), "room_invalid");
  });
}
