// Notifications from the operator's programs to one user. docs/protocol.md "Client to server".

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRecentTime, assertRefused } from "../support/assert.mjs";
import { barrier, connectWithToken, joinAsGuest, joinAsUser } from "../support/fixtures.mjs";
import { unique } from "../support/unique.mjs";

/** `server` has a `token.secret` and a short `presence_grace_ms`. */
export function notifications(clientType, server) {
  test("all devices of the user receive it, and no other user", async (t) => {
    const { root, ann } = await rootAndAnn(t);
    const second = await connectWithToken(t, clientType, server, ann.token, {
      device: unique("device"),
    });
    const id = unique("id");
    const data = { text: "Your parcel is here.", tags: [1, null] };
    const answer = assertOk(await root.ask("notify", { to: ann.name, data, id }));
    const { at } = answer;
    assertRecentTime(at);
    assert.deepEqual(answer, { ok: true, id, to: ann.name, seq: 1, at, online: true });
    const expected = { seq: 1, id, user: root.name, data, at, unread: 1 };
    for (const it of [ann, second]) assert.deepEqual(await it.next("notification"), expected);
    await barrier(ann, "lobby", root);
    assert.deepEqual(root.take("notification"), []);
  });

  test("it is unread also for an administrator who sends it to itself", async (t) => {
    const { root } = await rootAndAnn(t);
    assertOk(await root.ask("notify", { to: root.name, data: "x" }));
    assert.equal((await root.next("notification")).unread, 1);
    const later = await connectWithToken(t, clientType, server, root.token);
    assert.deepEqual(later.welcome.inbox, { seq: 1, unread: 1, read: 0 });
    assert.deepEqual(await root.ask("read", { inbox: true, seq: 1 }), {
      ok: true,
      seq: 1,
      unread: 0,
    });
  });

  test("only administrators may send it", async (t) => {
    const { root, ann } = await rootAndAnn(t);
    const guest = await joinAsGuest(t, clientType, server, "guest");
    const owner = await joinAsUser(t, clientType, server, "owner", { room: unique("room") });
    for (const it of [guest, owner, ann]) {
      assertRefused(await it.ask("notify", { to: ann.name, data: "x" }), "forbidden");
    }
    await barrier(root, "lobby", ann);
    assert.deepEqual(ann.take("notification"), []);
  });

  test("a guest who is online can be notified, too", async (t) => {
    const { root } = await rootAndAnn(t);
    const guest = await joinAsGuest(t, clientType, server, "guest");
    assertOk(await root.ask("notify", { to: guest.name, data: "x" }));
    assert.equal((await guest.next("notification")).data, "x");
  });

  test("an offline user finds it after reconnecting", async (t) => {
    const { root, ann } = await rootAndAnn(t);
    ann.close();
    await root.next("user left", ({ user }) => user === ann.name);
    const sent = [];
    for (const data of ["one", "two"]) {
      const answer = assertOk(await root.ask("notify", { to: ann.name, data }));
      assert.equal(answer.online, false);
      sent.push({
        event: "notification",
        seq: answer.seq,
        id: answer.id,
        user: root.name,
        data,
        at: answer.at,
      });
    }
    const back = await connectWithToken(t, clientType, server, ann.token);
    assert.deepEqual(back.welcome.inbox, { seq: 2, unread: 2, read: 0 });
    const page = { ok: true, messages: sent, more: false };
    assert.deepEqual(await back.ask("history", { inbox: true }), page);
    const [one, two] = sent;
    const first = { ok: true, messages: [one], more: true };
    assert.deepEqual(await back.ask("history", { inbox: true, after: 0, limit: 1 }), first);
    const last = { ok: true, messages: [two], more: false };
    assert.deepEqual(await back.ask("history", { inbox: true, after: 1 }), last);
    await barrier(root, "lobby", back);
    assert.deepEqual(back.take("notification"), []);
  });

  test("it is unread until it is read, on all devices", async (t) => {
    const { root, ann } = await rootAndAnn(t);
    const second = await connectWithToken(t, clientType, server, ann.token);
    for (const data of ["one", "two", "three"]) {
      assertOk(await root.ask("notify", { to: ann.name, data }));
    }
    const counts = (await second.collect("notification", 3)).map(({ unread }) => unread);
    assert.deepEqual(counts, [1, 2, 3]);
    const answer = await ann.ask("read", { inbox: true, seq: 2 });
    assert.deepEqual(answer, { ok: true, seq: 2, unread: 1 });
    const read = { inbox: true, user: ann.name, seq: 2, unread: 1 };
    assert.deepEqual(await second.next("read"), read);
    assertOk(await root.ask("notify", { to: ann.name, data: "four" }));
    assert.equal((await second.next("notification")).unread, 2);
    const later = await connectWithToken(t, clientType, server, ann.token);
    assert.deepEqual(later.welcome.inbox, { seq: 4, unread: 2, read: 2 });
    await barrier(ann, "lobby", root);
    assert.deepEqual([...ann.take("read"), ...root.take("read")], []);
  });

  test("a repeated id gets the first acknowledgement again", async (t) => {
    const { root, ann } = await rootAndAnn(t);
    const notice = { to: ann.name, data: "once", id: unique("id") };
    const first = assertOk(await root.ask("notify", notice));
    const again = assertOk(await root.ask("notify", notice));
    assert.deepEqual(again, { ...first, duplicate: true });
    assertRefused(await root.ask("notify", { ...notice, data: "twice" }), "conflict");
    await barrier(root, "lobby", ann);
    assert.equal(ann.take("notification").length, 1);
  });

  test("each user has their own inbox, which no other user can read", async (t) => {
    const { root, ann } = await rootAndAnn(t);
    const bob = await joinAsUser(t, clientType, server, "bob");
    for (const it of [ann, bob]) {
      assert.equal(assertOk(await root.ask("notify", { to: it.name, data: it.name })).seq, 1);
    }
    for (const [it, texts] of [
      [ann, [ann.name]],
      [bob, [bob.name]],
      [root, []],
    ]) {
      const { messages } = assertOk(await it.ask("history", { inbox: true }));
      assert.deepEqual(
        messages.map(({ data }) => data),
        texts,
      );
    }
  });

  test("a notification cannot be edited", async (t) => {
    const { root, ann } = await rootAndAnn(t);
    assertOk(await root.ask("notify", { to: ann.name, data: "x" }));
    for (const it of [root, ann]) {
      const change = { inbox: true, seq: 1, msg: "y" };
      assertRefused(await it.ask("edit message", change), "no_such_message");
    }
  });

  test("it needs a known user and a valid form", async (t) => {
    const { root, ann } = await rootAndAnn(t);
    const to = ann.name;
    assertRefused(await root.ask("notify", { to: unique("unknown"), data: "x" }), "no_such_user");
    assertRefused(await root.ask("notify", { to, data: "x", id: "a b" }), "id_invalid");
    for (const data of [null, "", " \n"]) {
      assertRefused(await root.ask("notify", { to, data }), "message_empty");
    }
    for (const data of [undefined, null, "text", [], { data: "x" }, { to: 1, data: "x" }]) {
      assertRefused(await root.ask("notify", data), "bad_request", JSON.stringify(data));
    }
    for (const inbox of [false, 1, "true"]) {
      assertRefused(await ann.ask("history", { inbox }), "bad_request", JSON.stringify(inbox));
    }
  });

  /** An administrator `root`, and a user `ann`. */
  async function rootAndAnn(t) {
    const root = await joinAsUser(t, clientType, server, "root", { claims: { admin: true } });
    return { root, ann: await joinAsUser(t, clientType, server, "ann") };
  }
}
