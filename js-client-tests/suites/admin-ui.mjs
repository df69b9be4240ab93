// The official Admin UI, on one node and on several. docs/operations.md.

import { test } from "node:test";

import { AdminClient } from "../support/admin-ui.mjs";
import { connectAnonymously } from "../support/fixtures.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

/** `nodes()` returns the node of the page and that of the client. They have the spaces `/space-*`. */
export function adminUi(nodes) {
  test("an anonymous socket is put in a room and taken out", async (t) => {
    const [one, other] = nodes();
    const page = await AdminClient.connect(t, one);
    const space = unique("/space-");
    await connectAnonymously(t, wsJson, other, { space });
    const found = () => [...page.sockets.values()].find(({ nsp }) => nsp === space);
    await page.until("the anonymous socket", () => found() !== undefined);
    const [socket, room] = [found(), unique("room")];
    page.socket.emit("join", space, room, socket.id);
    await page.untilIn(socket, room);
    page.socket.emit("leave", space, room, socket.id);
    await page.untilOut(socket, room);
  });
}
