// Random scenarios of three users with two devices each, over all transports: at the end the
// replicas of the devices, history and the reference model agree.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertOk, assertRefused, assertSameNames } from "../support/assert.mjs";
import { connectWithToken } from "../support/fixtures.mjs";
import { wsMsgpack } from "../support/msgpack.mjs";
import { Random } from "../support/random.mjs";
import { DirectConversation, Room } from "../support/reference-model.mjs";
import { ReplicaDevice } from "../support/replica-device.mjs";
import { compareLog, historyFrom } from "../support/replica-history.mjs";
import { socketIo } from "../support/socket.io.mjs";
import { epochSeconds, SECRET, signToken } from "../support/tokens.mjs";
import { unique } from "../support/unique.mjs";
import { wsJson } from "../support/ws.mjs";

const SEEDS = [1, 2, 3, 20, 77, 1234];
const STEPS = 150;
const USERS = ["ann", "bob", "carl"];
const CLIENT_TYPES = [wsJson, socketIo("4.8", "polling"), wsMsgpack, socketIo("4.8", "websocket")];

/** The settings that the server needs. */
export const SCENARIO_SETTINGS = { "token.secret": SECRET, spaces: ["/life-*"] };

/** `server` has the settings `SCENARIO_SETTINGS`. */
export function randomScenarios(server) {
  for (const seed of SEEDS) {
    test(`after ${STEPS} random steps all replicas agree: seed ${seed}`, async (t) => {
      const scenario = new Scenario(t, server, seed);
      try {
        await scenario.begin();
        for (let n = 0; n < STEPS; n += 1) await scenario.step();
        await scenario.settle();
        await scenario.compare();
      } catch (cause) {
        const steps = scenario.steps.slice(-5).join(", ");
        const where = `seed ${seed}, step ${scenario.steps.length}, after ${steps}`;
        throw new Error(`${where}: ${cause.message}`, { cause });
      }
    });
  }
}

class Scenario {
  steps = [];
  #t;
  #server;
  #random;
  #space;
  #tokens = new Map();
  #devices = [];
  #rooms = [new Room("lobby", "member"), new Room("one"), new Room("two"), new Room("three")];
  #pairs = [
    new DirectConversation("ann", "bob"),
    new DirectConversation("ann", "carl"),
    new DirectConversation("bob", "carl"),
  ];
  #sentCount = 0;

  /** Each kind of step with its weight. */
  #kinds = Object.entries({
    post: 10,
    postConcurrently: 4,
    edit: 6,
    delete: 4,
    read: 6,
    join: 5,
    leave: 3,
    drop: 5,
    reconnect: 5,
    tryForbidden: 2,
  }).flatMap(([kind, times]) => Array(times).fill(kind));

  constructor(t, server, seed) {
    this.#t = t;
    this.#server = server;
    this.#random = new Random(seed);
    this.#space = unique(`/life-${seed}`);
    USERS.forEach((user, at) => {
      for (const n of [0, 1]) {
        const clientType = CLIENT_TYPES[(2 * at + n + seed) % CLIENT_TYPES.length];
        const options = { space: this.#space, device: `device-${n}` };
        this.#devices.push(new ReplicaDevice(t, clientType, server, user, options));
      }
    });
  }

  get #online() {
    return this.#devices.filter(({ client }) => client);
  }

  async begin() {
    for (const user of USERS) {
      this.#tokens.set(user, await signToken(this.#server, { sub: user, exp: epochSeconds(600) }));
    }
    for (const it of this.#devices) {
      it.options.token = this.#tokens.get(it.user);
      this.#rooms[0].join(it.user, 0);
      await this.#arrive(it);
    }
  }

  async step() {
    const kind = this.#online.length === 0 ? "reconnect" : this.#random.pick(this.#kinds);
    this.steps.push(kind);
    const device = this.#random.pick(kind === "reconnect" ? this.#away() : this.#online);
    if (device) await this[`_${kind}`](device);
  }

  async _post(device) {
    await this.#postRandom(device);
  }

  async _postConcurrently() {
    await this.#postSeveral();
  }

  async _edit(device) {
    const [place, message] = this.#randomMessage(device.user, ({ author, deleted }) => {
      return author === device.user && !deleted;
    });
    if (!message) return;
    const body = this.#randomBody();
    const asked = { ...place.address(device.user), seq: message.seq, msg: body };
    const { ok: _, ...answer } = assertOk(await device.ask("edit message", asked));
    assert.equal(answer.seq, place.head + 1);
    place.edit(message, answer, body);
    this.#foldChange(device, place, message, { ...answer, event: "message edited", msg: body });
  }

  async _delete(device) {
    const { user } = device;
    const [place, message] = this.#randomMessage(user, (it, place) => place.mayDelete(user, it));
    if (!message) return;
    const asked = { ...place.address(user), seq: message.seq };
    const { ok: _, ...answer } = assertOk(await device.ask("delete message", asked));
    if (message.deleted) {
      assert.deepEqual(answer, { ...message.deletion, duplicate: true });
      return;
    }
    assert.equal(answer.seq, place.head + 1);
    place.delete(message, answer);
    this.#foldChange(device, place, message, { ...answer, event: "message deleted" });
  }

  async _read(device) {
    const place = this.#random.pick(this.#placesOf(device.user).filter(({ head }) => 0 < head));
    if (!place) return;
    const seq = 1 + this.#random.below(place.head + 3);
    const answer = assertOk(await device.ask("read", { ...place.address(device.user), seq }));
    place.readTo(device.user, seq);
    const { seq: _, ...counters } = place.counters(device.user);
    assert.deepEqual({ unread: answer.unread, read: answer.seq }, counters);
  }

  /** Joins a room, sometimes while others post, and reads what was posted before. */
  async _join(device) {
    await this.#waitUntilReceived();
    const { user } = device;
    const room = this.#random.pick(this.#rooms);
    const since = this.#random.oneIn(2) ? { since: device.completeUpTo(room.address()) } : {};
    const head = room.head;
    const asked = device.ask("join", { ...room.address(), ...since });
    if (this.#random.oneIn(3)) await this.#postSeveral();
    const { ok: _, count, muted: __, ...summary } = assertOk(await asked);
    assert.ok(
      head <= summary.seq && summary.seq <= room.head,
      `joined at ${summary.seq} of ${room.head}`,
    );
    // What was posted between joining and the acknowledgement is unread.
    assert.ok(
      head <= summary.read || room.has(user),
      `the read position starts at ${summary.read} of ${head}`,
    );
    room.join(user, summary.read);
    device.rooms.add(room.name);
    assert.deepEqual([count, summary.role], [room.members.size, room.members.get(user)]);
    assert.equal(summary.unread, room.countAfter(summary.read, summary.seq));
    for (const it of this.#online.filter((it) => it.user === user)) {
      if (it !== device || !("since" in since)) await this.#pageOn(it, room);
    }
  }

  async _leave(device) {
    const { user } = device;
    const room = this.#random.pick(this.#rooms.slice(1).filter((it) => it.has(user)));
    if (!room) return;
    const { seq, count } = assertOk(await device.ask("leave", room.address()));
    room.leave(user);
    device.rooms.delete(room.name);
    assert.deepEqual([seq, count], [room.head, room.members.size]);
  }

  /** Events in flight are lost; the last device of a user first receives everything. */
  async _drop(device) {
    if (!this.#online.some((it) => it.user === device.user && it !== device))
      await this.#waitUntilReceived();
    device.drop();
  }

  async _reconnect(device) {
    if (this.#random.oneIn(2)) return this.#arrive(device);
    const known = device.knownRooms();
    const arrival = device.connect();
    await this.#postSeveral();
    await arrival;
    await this.#pageTheRest(device, known);
  }

  /** Tries requests that must be refused. */
  async _tryForbidden(device) {
    const { user } = device;
    const room = this.#rooms.find((it) => !it.has(user));
    if (room) {
      const [ask, answer] = [room.address(), "not_member"];
      assertRefused(await device.ask("send message", { ...ask, msg: "may I?" }), answer);
      assertRefused(await device.ask("history", ask), answer);
      assertRefused(await device.ask("read", { ...ask, seq: 1 }), answer);
    }
    const edit = async (which, code) => {
      const [place, message] = this.#randomMessage(user, which);
      if (!message) return;
      const asked = { ...place.address(user), seq: message.seq, msg: "mine" };
      assertRefused(await device.ask("edit message", asked), code);
    };
    await edit(({ author, deleted }) => author !== user && !deleted, "forbidden");
    await edit(({ author, deleted }) => author === user && deleted, "no_such_message");
  }

  /** Connects all devices, joins empty rooms, and posts a last message everywhere. */
  async settle() {
    this.steps.push("settle");
    for (const it of this.#away()) await this.#arrive(it);
    for (const room of this.#rooms.filter(({ members }) => members.size === 0)) {
      const [device] = this.#devices;
      const { seq } = assertOk(await device.ask("join", room.address()));
      room.join(device.user, seq);
      device.rooms.add(room.name);
      for (const it of this.#devices.slice(0, 2)) await this.#pageOn(it, room);
    }
    for (const place of [...this.#rooms, ...this.#pairs]) {
      const device = this.#devices.find(({ user }) => place.has(user));
      await this.#post(
        device,
        place,
        place instanceof DirectConversation ? "SingleChat" : "send message",
      );
    }
    await this.#waitUntilReceived();
  }

  /**
   * Waits until all connected devices are complete: an acknowledgement may arrive before the event.
   */
  async #waitUntilReceived() {
    for (const it of this.#online) {
      for (const place of this.#placesOf(it.user))
        await it.until(place.address(it.user), place.head);
    }
  }

  async compare() {
    this.steps.push("compare");
    for (const it of this.#devices) {
      assert.deepEqual(it.violations, [], it.label);
      const rooms = this.#rooms.filter((room) => room.has(it.user));
      assertSameNames(
        it.rooms,
        rooms.map(({ name }) => name),
      );
      for (const place of this.#placesOf(it.user)) await compareLog(it, place);
    }
    for (const user of USERS) {
      const { welcome } = await connectWithToken(
        this.#t,
        wsJson,
        this.#server,
        this.#tokens.get(user),
        {
          space: this.#space,
        },
      );
      this.#checkWelcome(user, welcome);
    }
  }

  /** Connects and checks `welcome`; no other client posts meanwhile. */
  async #arrive(device) {
    await this.#waitUntilReceived();
    const known = device.knownRooms();
    this.#checkWelcome(device.user, await device.connect());
    await this.#pageTheRest(device, known);
  }

  #checkWelcome(user, { rooms, directs }) {
    const sorted = (summaries) => summaries.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    const summaries = this.#rooms.filter((it) => it.has(user)).map((it) => it.summary(user));
    assert.deepEqual(sorted(rooms), sorted(summaries), `the rooms of ${user}`);
    const pairs = this.#pairs.filter((it) => it.has(user) && 0 < it.head);
    assert.deepEqual(
      sorted(directs),
      sorted(pairs.map((it) => it.summary(user))),
      `the direct conversations of ${user}`,
    );
  }

  /**
   * Pages what `since` does not cover: direct conversations, and rooms that another device has
   * joined meanwhile.
   */
  async #pageTheRest(device, known) {
    const rest = this.#placesOf(device.user).filter(({ name }) => !known.includes(name));
    for (const place of rest) await this.#pageOn(device, place);
  }

  /** Reads the history from the replica's first gap. */
  async #pageOn(device, place) {
    const at = place.address(device.user);
    device.fold(at, ...(await historyFrom(device, place, { after: device.completeUpTo(at) })));
  }

  /** Several devices post at once. */
  async #postSeveral() {
    const count = 2 + this.#random.below(4);
    const posts = [];
    for (let n = 0; n < count && 0 < this.#online.length; n += 1) {
      posts.push(this.#postRandom(this.#random.pick(this.#online)));
    }
    await Promise.all(posts);
  }

  async #postRandom(device) {
    const place = this.#random.pick(this.#placesOf(device.user));
    const events =
      place instanceof DirectConversation ? ["SingleChat"] : ["send message", "GroupChat"];
    await this.#post(device, place, this.#random.pick(events));
  }

  async #post(device, place, event) {
    const { user } = device;
    const body = this.#randomBody();
    const own = this.#random.oneIn(2) ? { id: `m${this.#sentCount}` } : {};
    const field = event === "send message" ? "msg" : "data";
    const to = place instanceof DirectConversation ? { to: place.other(user) } : place.address();
    const answer = assertOk(await device.ask(event, { ...to, ...own, [field]: body }));
    const { id, seq, at } = answer;
    place.post({ seq, id, at, author: user, event, body });
    if (event === "send message") return; // the sender receives that one as an event
    device.fold(place.address(user), { event, ...to, seq, id, at, user, [field]: body });
  }

  /** A device that does not receive its own message does not receive its change either. */
  #foldChange(device, place, { event: sent, seq: of, id }, change) {
    if (sent === "send message") return;
    const { user } = device;
    device.fold(place.address(user), { ...change, of, id, user });
  }

  /** A random message for which `which` holds, in a conversation of `user`. */
  #randomMessage(user, which) {
    const found = this.#placesOf(user).flatMap((place) => {
      return place.messages.filter((it) => which(it, place)).map((message) => [place, message]);
    });
    return this.#random.pick(found) ?? [];
  }

  #randomBody() {
    this.#sentCount += 1;
    const text = `Wort ${this.#sentCount} 🙂`;
    return this.#random.pick([text, { text, more: [1.5, null, -7] }, [text, Buffer.from(text)]]);
  }

  #placesOf(user) {
    return [...this.#rooms, ...this.#pairs].filter((it) => it.has(user));
  }

  #away() {
    return this.#devices.filter(({ client }) => !client);
  }
}

const nameOf = (summary) => summary.room ?? summary.with;
