// Random lives of three users with two devices each, on all wires: whatever they do, what their
// devices fold together, what history says, and what the rules say are one.

import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, refused, sameNames } from "../support/assert.mjs";
import { Chance } from "../support/chance.mjs";
import { FoldingDevice, shown } from "../support/folding-device.mjs";
import { Pair, Room } from "../support/model.mjs";
import { packed } from "../support/msgpack.mjs";
import { unique } from "../support/names.mjs";
import { comeBack } from "../support/people.mjs";
import { way } from "../support/socket.io.mjs";
import { epoch, SECRET, signed } from "../support/tokens.mjs";
import { plain } from "../support/ws.mjs";

const SEEDS = [1, 2, 3, 20, 77, 1234];
const STEPS = 150;
const USERS = ["ann", "bob", "carl"];
const WAYS = [plain, way("4.8", "polling"), packed, way("4.8", "websocket")];
const PAGE = 7;

/** What a server for these lives has to have. */
export const LIVES = { "token.secret": SECRET, spaces: ["/life-*"] };

/** `server` has the settings `LIVES`. */
export function lives(server) {
  for (const seed of SEEDS) {
    test(`${STEPS} random steps end alike for everybody: seed ${seed}`, async (t) => {
      const life = new Life(t, server, seed);
      try {
        await life.begin();
        for (let n = 0; n < STEPS; n += 1) await life.step();
        await life.settle();
        await life.compare();
      } catch (cause) {
        const steps = life.steps.slice(-5).join(", ");
        const where = `seed ${seed}, step ${life.steps.length}, after ${steps}`;
        throw new Error(`${where}: ${cause.message}`, { cause });
      }
    });
  }
}

class Life {
  steps = [];
  #t;
  #server;
  #chance;
  #space;
  #tokens = new Map();
  #devices = [];
  #rooms = [new Room("lobby", "member"), new Room("one"), new Room("two"), new Room("three")];
  #pairs = [new Pair("ann", "bob"), new Pair("ann", "carl"), new Pair("bob", "carl")];
  #said = 0;

  /** Each kind of step, as often as it stands here. */
  #kinds = Object.entries({
    say: 10,
    sayAtOnce: 4,
    edit: 6,
    delete: 4,
    read: 6,
    join: 5,
    leave: 3,
    lose: 5,
    comeBack: 5,
    overstep: 2,
  }).flatMap(([kind, times]) => Array(times).fill(kind));

  constructor(t, server, seed) {
    this.#t = t;
    this.#server = server;
    this.#chance = new Chance(seed);
    this.#space = unique(`/life-${seed}`);
    USERS.forEach((user, at) => {
      for (const n of [0, 1]) {
        const way = WAYS[(2 * at + n + seed) % WAYS.length];
        const options = { space: this.#space, device: `device-${n}` };
        this.#devices.push(new FoldingDevice(t, way, server, user, options));
      }
    });
  }

  get #online() {
    return this.#devices.filter(({ client }) => client);
  }

  async begin() {
    for (const user of USERS) {
      this.#tokens.set(user, await signed(this.#server, { sub: user, exp: epoch(600) }));
    }
    for (const it of this.#devices) {
      it.options.token = this.#tokens.get(it.user);
      this.#rooms[0].join(it.user, 0);
      await this.#arrive(it);
    }
  }

  async step() {
    const kind = this.#online.length === 0 ? "comeBack" : this.#chance.pick(this.#kinds);
    this.steps.push(kind);
    const device = this.#chance.pick(kind === "comeBack" ? this.#away() : this.#online);
    if (device) await this[`_${kind}`](device);
  }

  async _say(device) {
    await this.#saySomething(device);
  }

  async _sayAtOnce() {
    await this.#saySomeAtOnce();
  }

  async _edit(device) {
    const [place, message] = this.#someMessage(device.user, ({ author, deleted }) => {
      return author === device.user && !deleted;
    });
    if (!message) return;
    const body = this.#someBody();
    const asked = { ...place.as(device.user), seq: message.seq, msg: body };
    const { ok: _, ...answer } = accepted(await device.ask("edit message", asked));
    assert.equal(answer.seq, place.head + 1);
    place.edit(message, answer, body);
    this.#foldChange(device, place, message, { ...answer, event: "message edited", msg: body });
  }

  async _delete(device) {
    const { user } = device;
    const [place, message] = this.#someMessage(user, (it, place) => place.mayDelete(user, it));
    if (!message) return;
    const asked = { ...place.as(user), seq: message.seq };
    const { ok: _, ...answer } = accepted(await device.ask("delete message", asked));
    if (message.deleted) {
      assert.deepEqual(answer, { ...message.deletion, duplicate: true });
      return;
    }
    assert.equal(answer.seq, place.head + 1);
    place.delete(message, answer);
    this.#foldChange(device, place, message, { ...answer, event: "message deleted" });
  }

  async _read(device) {
    const place = this.#chance.pick(this.#placesOf(device.user).filter(({ head }) => 0 < head));
    if (!place) return;
    const seq = 1 + this.#chance.below(place.head + 3);
    const answer = accepted(await device.ask("read", { ...place.as(device.user), seq }));
    place.readTo(device.user, seq);
    const { seq: _, ...stand } = place.stand(device.user);
    assert.deepEqual({ unread: answer.unread, read: answer.seq }, stand);
  }

  /** Joins, sometimes while others talk, and has all that was said before. */
  async _join(device) {
    await this.#heard();
    const { user } = device;
    const room = this.#chance.pick(this.#rooms);
    const since = this.#chance.oneIn(2) ? { since: device.whole(room.as()) } : {};
    const head = room.head;
    const asked = device.ask("join", { ...room.as(), ...since });
    if (this.#chance.oneIn(3)) await this.#saySomeAtOnce();
    const { ok: _, count, muted: __, ...seat } = accepted(await asked);
    assert.ok(head <= seat.seq && seat.seq <= room.head, `joined at ${seat.seq} of ${room.head}`);
    // What was said since they came in and before the answer is unread.
    assert.ok(head <= seat.read || room.has(user), `came in at ${seat.read} of ${head}`);
    room.join(user, seat.read);
    device.rooms.add(room.name);
    assert.deepEqual([count, seat.role], [room.members.size, room.members.get(user)]);
    assert.equal(seat.unread, room.countAfter(seat.read, seat.seq));
    for (const it of this.#online.filter((it) => it.user === user)) {
      if (it !== device || !("since" in since)) await this.#pageOn(it, room);
    }
  }

  async _leave(device) {
    const { user } = device;
    const room = this.#chance.pick(this.#rooms.slice(1).filter((it) => it.has(user)));
    if (!room) return;
    const { seq, count } = accepted(await device.ask("leave", room.as()));
    room.leave(user);
    device.rooms.delete(room.name);
    assert.deepEqual([seq, count], [room.head, room.members.size]);
  }

  /** What is on its way to it is lost; only the last one of a user hears out what was said. */
  async _lose(device) {
    if (!this.#online.some((it) => it.user === device.user && it !== device)) await this.#heard();
    device.lose();
  }

  async _comeBack(device) {
    if (this.#chance.oneIn(2)) return this.#arrive(device);
    const known = device.known();
    const arrival = device.connect();
    await this.#saySomeAtOnce();
    await arrival;
    await this.#pageTheRest(device, known);
  }

  /** Tries what is not allowed. */
  async _overstep(device) {
    const { user } = device;
    const room = this.#rooms.find((it) => !it.has(user));
    if (room) {
      const [ask, answer] = [room.as(), "not_member"];
      refused(await device.ask("send message", { ...ask, msg: "may I?" }), answer);
      refused(await device.ask("history", ask), answer);
      refused(await device.ask("read", { ...ask, seq: 1 }), answer);
    }
    const edit = async (which, code) => {
      const [place, message] = this.#someMessage(user, which);
      if (!message) return;
      const asked = { ...place.as(user), seq: message.seq, msg: "mine" };
      refused(await device.ask("edit message", asked), code);
    };
    await edit(({ author, deleted }) => author !== user && !deleted, "forbidden");
    await edit(({ author, deleted }) => author === user && deleted, "no_such_message");
  }

  /** Everybody comes, nobody's room is empty, and a last word is said everywhere. */
  async settle() {
    this.steps.push("settle");
    for (const it of this.#away()) await this.#arrive(it);
    for (const room of this.#rooms.filter(({ members }) => members.size === 0)) {
      const [device] = this.#devices;
      const { seq } = accepted(await device.ask("join", room.as()));
      room.join(device.user, seq);
      device.rooms.add(room.name);
      for (const it of this.#devices.slice(0, 2)) await this.#pageOn(it, room);
    }
    for (const place of [...this.#rooms, ...this.#pairs]) {
      const device = this.#devices.find(({ user }) => place.has(user));
      await this.#say(device, place, place instanceof Pair ? "SingleChat" : "send message");
    }
    await this.#heard();
  }

  /** Waits until whoever is online has everything: an acknowledgement may come before that. */
  async #heard() {
    for (const it of this.#online) {
      for (const place of this.#placesOf(it.user)) await it.until(place.as(it.user), place.head);
    }
  }

  async compare() {
    this.steps.push("compare");
    for (const it of this.#devices) {
      assert.deepEqual(it.complaints, [], it.label);
      const rooms = this.#rooms.filter((room) => room.has(it.user));
      sameNames(
        it.rooms,
        rooms.map(({ name }) => name),
      );
      for (const place of this.#placesOf(it.user)) await this.#compareLog(it, place);
    }
    for (const user of USERS) {
      const { welcome } = await comeBack(this.#t, plain, this.#server, this.#tokens.get(user), {
        space: this.#space,
      });
      this.#checkWelcome(user, welcome);
    }
  }

  /** The device, history in both directions, and the rules. */
  async #compareLog(device, place) {
    const what = `${device.label}: ${JSON.stringify(place.as(device.user))}`;
    const forth = await this.#pages(device, place, { after: 0 });
    const back = await this.#pages(device, place, {});
    assert.deepEqual(back, forth, `${what}, backwards`);
    assert.equal(forth.length, place.head, what);
    const seen = device.shown(place.as(device.user));
    assert.deepEqual(shown(forth), seen, `${what}, history and device`);
    const expected = place.messages.map(({ seq, id, author, at, body, editedAt, deleted }) => ({
      seq,
      id,
      author,
      at,
      body,
      editedAt,
      deleted,
    }));
    const said = seen.map(({ deletedBy: _, ...it }) => it);
    assert.deepEqual(said, expected, `${what}, device and rules`);
  }

  /** A conversation's history, page by page, oldest first. */
  async #pages(device, place, { after }) {
    const entries = [];
    for (let more = true; more; ) {
      const forwards = after !== undefined;
      const end = forwards ? (entries.at(-1)?.seq ?? after) : entries[0]?.seq;
      const range = forwards ? { after: end } : { before: end };
      const asked = { ...place.as(device.user), limit: PAGE, ...range };
      const page = accepted(await device.ask("history", asked));
      assert.ok(page.messages.length <= PAGE);
      if (forwards) entries.push(...page.messages);
      else entries.unshift(...page.messages);
      ({ more } = page);
    }
    return entries;
  }

  /** Connects, and looks at what it is told: nobody says anything meanwhile. */
  async #arrive(device) {
    await this.#heard();
    const known = device.known();
    this.#checkWelcome(device.user, await device.connect());
    await this.#pageTheRest(device, known);
  }

  #checkWelcome(user, { rooms, directs }) {
    const sorted = (seats) => seats.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    const seats = this.#rooms.filter((it) => it.has(user)).map((it) => it.seat(user));
    assert.deepEqual(sorted(rooms), sorted(seats), `the rooms of ${user}`);
    const pairs = this.#pairs.filter((it) => it.has(user) && 0 < it.head);
    assert.deepEqual(sorted(directs), sorted(pairs.map((it) => it.seat(user))), `to ${user}`);
  }

  /** What `since` does not mean: directs, and rooms that the user joined elsewhere meanwhile. */
  async #pageTheRest(device, known) {
    const rest = this.#placesOf(device.user).filter(({ name }) => !known.includes(name));
    for (const place of rest) await this.#pageOn(device, place);
  }

  /** Reads the history from where the device has a hole. */
  async #pageOn(device, place) {
    const at = place.as(device.user);
    device.fold(at, ...(await this.#pages(device, place, { after: device.whole(at) })));
  }

  /** Several devices talk at once, each to whom it may. */
  async #saySomeAtOnce() {
    const count = 2 + this.#chance.below(4);
    const talk = [];
    for (let n = 0; n < count && 0 < this.#online.length; n += 1) {
      talk.push(this.#saySomething(this.#chance.pick(this.#online)));
    }
    await Promise.all(talk);
  }

  async #saySomething(device) {
    const place = this.#chance.pick(this.#placesOf(device.user));
    const events = place instanceof Pair ? ["SingleChat"] : ["send message", "GroupChat"];
    await this.#say(device, place, this.#chance.pick(events));
  }

  async #say(device, place, event) {
    const { user } = device;
    const body = this.#someBody();
    const own = this.#chance.oneIn(2) ? { id: `m${this.#said}` } : {};
    const field = event === "send message" ? "msg" : "data";
    const to = place instanceof Pair ? { to: place.other(user) } : place.as();
    const answer = accepted(await device.ask(event, { ...to, ...own, [field]: body }));
    const { id, seq, at } = answer;
    place.say({ seq, id, at, author: user, event, body });
    if (event === "send message") return; // that one hears itself
    device.fold(place.as(user), { event, ...to, seq, id, at, user, [field]: body });
  }

  /** Who does not hear their own message does not hear its change. */
  #foldChange(device, place, { event: said, seq: of, id }, change) {
    if (said === "send message") return;
    const { user } = device;
    device.fold(place.as(user), { ...change, of, id, user });
  }

  /** A message for which `which` holds, where `user` may read. */
  #someMessage(user, which) {
    const found = this.#placesOf(user).flatMap((place) => {
      return place.messages.filter((it) => which(it, place)).map((message) => [place, message]);
    });
    return this.#chance.pick(found) ?? [];
  }

  #someBody() {
    this.#said += 1;
    const text = `Wort ${this.#said} 🙂`;
    return this.#chance.pick([text, { text, more: [1.5, null, -7] }, [text, Buffer.from(text)]]);
  }

  #placesOf(user) {
    return [...this.#rooms, ...this.#pairs].filter((it) => it.has(user));
  }

  #away() {
    return this.#devices.filter(({ client }) => !client);
  }
}

const nameOf = (seat) => seat.room ?? seat.with;
