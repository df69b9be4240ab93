// A burst loses nothing for readers that keep reading.

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, dense } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { LONG_PATIENCE } from "../support/patience.mjs";
import { enter } from "../support/people.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { way } from "../support/socket.io.mjs";
import { plain } from "../support/ws.mjs";

const COUNT = 20_000;
const READERS = [
  way("4.8", "websocket"),
  way("4.8", "polling"),
  way("2.5", "websocket"),
  way("2.5", "polling"),
  plain,
];

const server = serverForThisFile();

for (const sender of [plain, way("4.8", "websocket")]) {
  test(`${COUNT} messages of ${sender.label} reach every reader`, async (t) => {
    const room = unique("room");
    const readers = [];
    for (const it of READERS) readers.push(await enter(t, it, server, "reader", { room }));
    const speakers = [
      await enter(t, sender, server, "speaker", { room }),
      await enter(t, sender, server, "speaker", { room }),
    ];
    const list = Array.from({ length: COUNT / speakers.length }, (_, n) => ({ data: n }));
    const answers = await Promise.all(
      speakers.map((it) => it.askAll("GroupChat", list, LONG_PATIENCE)),
    );
    answers.flat().forEach(accepted);
    dense(answers.flat().sort((a, b) => a.seq - b.seq));
    for (const it of readers) {
      const heard = await it.collect("GroupChat", COUNT, LONG_PATIENCE);
      dense(heard);
      for (const { name } of speakers) {
        const said = heard.filter(({ user }) => user === name).map(({ data }) => data);
        for (const [at, n] of said.entries()) assert.equal(n, at);
      }
    }
  });
}
