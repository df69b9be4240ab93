// Connect parameters that are refused, besides tokens. docs/protocol.md "Connecting".

import assert from "node:assert/strict";
import { test } from "node:test";

export function connectParameters(clientType, server) {
  test("an invalid `since` is refused", async () => {
    for (const since of [{ lobby: "soon" }, { lobby: -1 }, { lobby: 1.5 }]) {
      assert.equal(
        await clientType.refusal(server, { since }),
        "bad_request",
        JSON.stringify(since),
      );
    }
    assert.equal(await clientType.refusal(server, { since: { "two\nlines": 1 } }), "room_invalid");
  });

  test("an invalid device is refused", async () => {
    for (const device of ["two words", "", "ümlaut", "x".repeat(65)]) {
      assert.equal(await clientType.refusal(server, { device }), "id_invalid", device);
    }
  });

  test("an invalid room is refused", async () => {
    assert.equal(await clientType.refusal(server, { room: "two\nlines" }), "room_invalid");
  });
}
