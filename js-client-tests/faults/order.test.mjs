// One order: thousands of messages sent without waiting, seen alike by everybody.

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, dense } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { LONG_PATIENCE } from "../support/patience.mjs";
import { enter } from "../support/people.mjs";
import { serverForThisFile } from "../support/server.mjs";
import { way } from "../support/socket.io.mjs";
import { plain } from "../support/ws.mjs";

const COUNT = 5000;

const server = serverForThisFile();

const SENDERS = [
  way("4.8", "polling"),
  way("4.8", "websocket"),
  way("4.8", "upgrade"),
  way("3.1", "upgrade"),
  way("2.5", "polling"),
  way("2.5", "websocket"),
  way("2.5", "upgrade"),
  way("1.7", "websocket"),
  plain,
];

const LISTENERS = [way("4.8", "polling"), way("4.8", "websocket"), way("2.5", "upgrade"), plain];

for (const sender of SENDERS) {
  test(`${COUNT} messages of ${sender.label} are heard in their order`, async (t) => {
    const room = unique("room");
    const listeners = [];
    for (const it of LISTENERS) listeners.push(await enter(t, it, server, "listener", { room }));
    const ann = await enter(t, sender, server, "ann", { room });
    const list = Array.from({ length: COUNT }, (_, n) => ({ msg: n }));
    const answers = await ann.askAll("send message", list, LONG_PATIENCE);
    answers.forEach(accepted);
    dense(answers);
    for (const it of [ann, ...listeners]) {
      const heard = await it.collect("new message", COUNT, LONG_PATIENCE);
      dense(heard);
      for (const [at, { msg }] of heard.entries()) assert.equal(msg, at);
      assert.equal(it.inbox.count("new message"), 0, "something came twice");
    }
  });
}
