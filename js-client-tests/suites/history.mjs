// History, page by page. docs/protocol.md "Client to server".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertConsecutive, assertOk, assertRefused } from "../support/assert.mjs";
import { joinAsGuest } from "../support/fixtures.mjs";
import { unique } from "../support/unique.mjs";

export function history(clientType, server) {
  test("the default page has the newest 50, oldest first, and `more`", async (t) => {
    const { ann } = await room(t, 60);
    const page = assertOk(await ann.ask("history", {}));
    assert.deepEqual(seqs(page), range(11, 60));
    assert.equal(page.more, true);
    assert.deepEqual(Object.keys(page).sort(), ["messages", "more", "ok"]);
  });

  test("a message in history is the live event with its name", async (t) => {
    const { ann, room: name } = await room(t, 0);
    const bob = await joinAsGuest(t, clientType, server, "bob", { room: name });
    assertOk(await ann.ask("send message", { msg: { a: [1] } }));
    assertOk(await ann.ask("GroupChat", { data: "hi" }));
    const live = [
      { event: "new message", ...(await bob.next("new message")) },
      { event: "GroupChat", ...(await bob.next("GroupChat")) },
    ];
    const page = { ok: true, messages: live, more: false };
    assert.deepEqual(await ann.ask("history"), page);
    assert.deepEqual(await bob.ask("history", { room: name }), page);
  });

  test("pages join without a gap or overlap, backwards and forwards", async (t) => {
    const { ann } = await room(t, 25);
    const back = [];
    for (let page = { more: true }; page.more; ) {
      page = assertOk(await ann.ask("history", { before: back[0]?.seq ?? 26, limit: 7 }));
      back.unshift(...page.messages);
    }
    const forth = [];
    for (let page = { more: true }; page.more; ) {
      page = assertOk(await ann.ask("history", { after: forth.at(-1)?.seq ?? 0, limit: 7 }));
      forth.push(...page.messages);
    }
    assertConsecutive(back);
    assert.equal(back.length, 25);
    assert.deepEqual(forth, back);
  });

  test("`more` refers to the requested direction", async (t) => {
    const { ann } = await room(t, 10);
    const ask = async (data) => {
      const page = assertOk(await ann.ask("history", data));
      return [seqs(page), page.more];
    };
    assert.deepEqual(await ask({ limit: 10 }), [range(1, 10), false]);
    assert.deepEqual(await ask({ limit: 9 }), [range(2, 10), true]);
    assert.deepEqual(await ask({ before: 4, limit: 3 }), [range(1, 3), false]);
    assert.deepEqual(await ask({ before: 4, limit: 2 }), [range(2, 3), true]);
    assert.deepEqual(await ask({ after: 7, limit: 3 }), [range(8, 10), false]);
    assert.deepEqual(await ask({ after: 7, limit: 2 }), [range(8, 9), true]);
    assert.deepEqual(await ask({ after: 10 }), [[], false]);
    assert.deepEqual(await ask({ after: 1000 }), [[], false]);
    assert.deepEqual(await ask({ before: 1 }), [[], false]);
    assert.deepEqual(await ask({ before: 1000, limit: 2 }), [range(9, 10), true]);
  });

  test("a room without messages has an empty history", async (t) => {
    const { ann } = await room(t, 0);
    assert.deepEqual(await ann.ask("history"), { ok: true, messages: [], more: false });
  });

  test("without an acknowledgement the page is sent as an event", async (t) => {
    const { ann } = await room(t, 2);
    ann.emit("history", { limit: 1 });
    const { messages, more } = await ann.next("history");
    assert.deepEqual([seqs({ messages }), more], [[2], true]);
  });

  test("history needs membership", async (t) => {
    const { room: name } = await room(t, 2);
    const bob = await joinAsGuest(t, clientType, server, "bob");
    assertRefused(await bob.ask("history", { room: name }), "not_member");
  });

  /** A user alone in a new room, with `count` messages. */
  async function room(t, count) {
    const name = unique("room");
    const ann = await joinAsGuest(t, clientType, server, "ann", { room: name });
    const sent = range(1, count).map((n) => ({ msg: n }));
    for (const it of await ann.askAll("send message", sent)) assertOk(it);
    return { ann, room: name };
  }
}

function seqs({ messages }) {
  return messages.map(({ seq }) => seq);
}

function range(first, last) {
  return Array.from({ length: last - first + 1 }, (_, n) => first + n);
}
