// Notifications: what the operator's programs tell one user. docs/protocol.md "Client to server".

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, isTime, refused } from "../support/assert.mjs";
import { unique } from "../support/names.mjs";
import { comeBack, enrol, enter, fence } from "../support/people.mjs";

/** `server` has a `token.secret` and a short `presence_grace_ms`. */
export function notify(way, server) {
  test("all devices of the user hear it, and nobody else", async (t) => {
    const { root, ann } = await rootAndAnn(t);
    const second = await comeBack(t, way, server, ann.token, { device: unique("device") });
    const id = unique("id");
    const data = { text: "Your parcel is here.", tags: [1, null] };
    const answer = accepted(await root.ask("notify", { to: ann.name, data, id }));
    const { at } = answer;
    isTime(at);
    assert.deepEqual(answer, { ok: true, id, to: ann.name, seq: 1, at, online: true });
    const expected = { seq: 1, id, user: root.name, data, at, unread: 1 };
    for (const it of [ann, second]) assert.deepEqual(await it.next("notification"), expected);
    await fence(ann, "lobby", root);
    assert.deepEqual(root.take("notification"), []);
  });

  test("it is for administrators", async (t) => {
    const { root, ann } = await rootAndAnn(t);
    const guest = await enter(t, way, server, "guest");
    const owner = await enrol(t, way, server, "owner", { room: unique("room") });
    for (const it of [guest, owner, ann]) {
      refused(await it.ask("notify", { to: ann.name, data: "x" }), "forbidden");
    }
    await fence(root, "lobby", ann);
    assert.deepEqual(ann.take("notification"), []);
  });

  test("a guest who is here can be told, too", async (t) => {
    const { root } = await rootAndAnn(t);
    const guest = await enter(t, way, server, "guest");
    accepted(await root.ask("notify", { to: guest.name, data: "x" }));
    assert.equal((await guest.next("notification")).data, "x");
  });

  test("who is away finds it when they come back", async (t) => {
    const { root, ann } = await rootAndAnn(t);
    ann.close();
    await root.next("user left", ({ user }) => user === ann.name);
    const told = [];
    for (const data of ["one", "two"]) {
      const answer = accepted(await root.ask("notify", { to: ann.name, data }));
      assert.equal(answer.online, false);
      told.push({
        event: "notification",
        seq: answer.seq,
        id: answer.id,
        user: root.name,
        data,
        at: answer.at,
      });
    }
    const back = await comeBack(t, way, server, ann.token);
    assert.deepEqual(back.welcome.inbox, { seq: 2, unread: 2, read: 0 });
    const page = { ok: true, messages: told, more: false };
    assert.deepEqual(await back.ask("history", { inbox: true }), page);
    const [one, two] = told;
    const first = { ok: true, messages: [one], more: true };
    assert.deepEqual(await back.ask("history", { inbox: true, after: 0, limit: 1 }), first);
    const last = { ok: true, messages: [two], more: false };
    assert.deepEqual(await back.ask("history", { inbox: true, after: 1 }), last);
    await fence(root, "lobby", back);
    assert.deepEqual(back.take("notification"), []);
  });

  test("it is unread until it is read, on all devices", async (t) => {
    const { root, ann } = await rootAndAnn(t);
    const second = await comeBack(t, way, server, ann.token);
    for (const data of ["one", "two", "three"]) {
      accepted(await root.ask("notify", { to: ann.name, data }));
    }
    const counts = (await second.collect("notification", 3)).map(({ unread }) => unread);
    assert.deepEqual(counts, [1, 2, 3]);
    const answer = await ann.ask("read", { inbox: true, seq: 2 });
    assert.deepEqual(answer, { ok: true, seq: 2, unread: 1 });
    const read = { inbox: true, user: ann.name, seq: 2, unread: 1 };
    assert.deepEqual(await second.next("read"), read);
    accepted(await root.ask("notify", { to: ann.name, data: "four" }));
    assert.equal((await second.next("notification")).unread, 2);
    const later = await comeBack(t, way, server, ann.token);
    assert.deepEqual(later.welcome.inbox, { seq: 4, unread: 2, read: 2 });
    await fence(ann, "lobby", root);
    assert.deepEqual([...ann.take("read"), ...root.take("read")], []);
  });

  test("an id that was seen gets the first answer again", async (t) => {
    const { root, ann } = await rootAndAnn(t);
    const notice = { to: ann.name, data: "once", id: unique("id") };
    const first = accepted(await root.ask("notify", notice));
    const again = accepted(await root.ask("notify", notice));
    assert.deepEqual(again, { ...first, duplicate: true });
    refused(await root.ask("notify", { ...notice, data: "twice" }), "conflict");
    await fence(root, "lobby", ann);
    assert.equal(ann.take("notification").length, 1);
  });

  test("each user has an inbox of their own, and nobody else reads it", async (t) => {
    const { root, ann } = await rootAndAnn(t);
    const bob = await enrol(t, way, server, "bob");
    for (const it of [ann, bob]) {
      assert.equal(accepted(await root.ask("notify", { to: it.name, data: it.name })).seq, 1);
    }
    for (const [it, texts] of [
      [ann, [ann.name]],
      [bob, [bob.name]],
      [root, []],
    ]) {
      const { messages } = accepted(await it.ask("history", { inbox: true }));
      assert.deepEqual(
        messages.map(({ data }) => data),
        texts,
      );
    }
  });

  test("what is notified is not edited", async (t) => {
    const { root, ann } = await rootAndAnn(t);
    accepted(await root.ask("notify", { to: ann.name, data: "x" }));
    for (const it of [root, ann]) {
      const change = { inbox: true, seq: 1, msg: "y" };
      refused(await it.ask("edit message", change), "no_such_message");
    }
  });

  test("it is to somebody who was here, and of a form", async (t) => {
    const { root, ann } = await rootAndAnn(t);
    const to = ann.name;
    refused(await root.ask("notify", { to: unique("nobody"), data: "x" }), "no_such_user");
    refused(await root.ask("notify", { to, data: "x", id: "a b" }), "id_invalid");
    for (const data of [null, "", " \n"]) {
      refused(await root.ask("notify", { to, data }), "message_empty");
    }
    for (const data of [undefined, null, "text", [], { data: "x" }, { to: 1, data: "x" }]) {
      refused(await root.ask("notify", data), "bad_request", JSON.stringify(data));
    }
    for (const inbox of [false, 1, "true"]) {
      refused(await ann.ask("history", { inbox }), "bad_request", JSON.stringify(inbox));
    }
  });

  /** An administrator, and Ann, who is a user. */
  async function rootAndAnn(t) {
    const root = await enrol(t, way, server, "root", { claims: { admin: true } });
    return { root, ann: await enrol(t, way, server, "ann") };
  }
}
