// What one asks of the server about a room: to be in it or not, its quiet, and who else is in it.

import * as model from "./state.js";
import { asRole, refusal } from "./words.js";

/** `ask` answers also without a connection, `notice(text)` says what belongs to no control. */
export function makeRooms({ state, ask, outbox, notice }) {
  /** Joins a room and answers its key, or the problem in words. */
  async function join(text) {
    const name = text.trim().replace(/^#/, "");
    const key = model.roomKey(name);
    if (isIn(key)) return { key };
    const answer = await ask("join", { room: name });
    if (!answer.ok) return { problem: words(answer) };
    entered(key, answer);
    return { key };
  }

  /** What `join` does not say, `membership` or the next `welcome` does. */
  function entered(key, { seq, role }) {
    const talk = model.conversation(state, key);
    const read = Math.max(talk.read ?? 0, seq);
    const counted = Math.max(talk.counted, seq);
    Object.assign(talk, { read, counted, unread: 0, problem: null });
    talk.role = role ?? talk.role ?? "member";
  }

  const isIn = (key) => (state.conversations.get(key)?.role ?? null) !== null;

  /** Ends what the user is a member of no more. The lobby is for whoever is nowhere else. */
  async function tidy() {
    const gone = [...state.conversations.values()].filter(
      (it) => it.kind === "room" && !isIn(it.key),
    );
    const isElsewhere = [...state.conversations.values()].some(({ role }) => role !== null);
    for (const talk of gone) {
      if (talk.name === model.LOBBY && !isElsewhere) await comeInto(talk);
      else close(talk.key);
    }
  }

  async function comeInto(talk) {
    const answer = await ask("join", { room: talk.name });
    if (answer.ok) entered(talk.key, answer);
    else if (answer.code !== "offline") talk.problem = words(answer);
  }

  function leave() {
    const { key, kind, name } = model.opened(state);
    // Without a connection it is enough not to name the room when coming back.
    if (kind === "room") void ask("leave", { room: name });
    close(key);
  }

  function close(key) {
    outbox.drop(key);
    model.closeConversation(state, key);
  }

  /** Joins once more for a message that was refused because one was not in the room. */
  async function rejoin(key) {
    const answer = await ask("join", { room: key.slice(5) });
    if (answer.ok) entered(key, answer);
  }

  async function mute() {
    const talk = model.opened(state);
    const answer = await ask("mute", { ...model.placeOf(talk), muted: !talk.muted });
    if (answer.ok) talk.muted = answer.muted;
    return said(answer, "");
  }

  async function invite(user, role) {
    const { name: room } = model.opened(state);
    const answer = await ask("invite", { room, user, role: role || undefined });
    return said(answer, `${user} is now ${asRole(answer.role)}.`);
  }

  async function kick(user) {
    const { name: room } = model.opened(state);
    return said(await ask("kick", { room, user }), `${user} is not in this room any more.`);
  }

  /** What another device or an admin did to one's own membership. */
  function changed({ room, role, by }, before) {
    if (role === null) outbox.drop(model.roomKey(room));
    if (!by || by === state.user || role === before) return;
    if (role === null) notice(`${by} has removed you from ${room}.`);
    else if (before === null) notice(`${by} has invited you to ${room}.`);
    else notice(`${by} has made you ${asRole(role)} in ${room}.`);
  }

  return { join, leave, rejoin, tidy, mute, invite, kick, changed };
}

const words = ({ code, message }) => refusal(code, message);
const said = (answer, text) =>
  answer.ok ? { ok: true, text } : { ok: false, text: words(answer) };
