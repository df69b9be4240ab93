// Requests about rooms: join, leave, mute, invite, kick, topic.

import { nameOf } from "./names.js";
import * as model from "./state.js";
import { refusal, roleName } from "./words.js";

/**
 * `ask` also answers without a connection; `notice(text)` shows a text that belongs to no control.
 */
export function makeRooms({ state, ask, outbox, notice }) {
  /** Joins a room; returns its key, or the problem as a text. */
  async function join(name) {
    if (isIn(model.roomKey(name))) return { key: model.roomKey(name) };
    const answer = await ask("join", { room: name });
    if (!answer.ok) return { problem: problemText(answer) };
    const key = model.roomKey(answer.room); // as the server writes the name
    entered(key, answer);
    return { key };
  }

  /** The fields that the answer to `join` lacks follow with `membership` or the next `welcome`. */
  function entered(key, { seq, role, topic = "" }) {
    const talk = model.conversation(state, key);
    const read = Math.max(talk.read ?? 0, seq);
    const counted = Math.max(talk.counted, seq);
    Object.assign(talk, { read, counted, topic, unread: 0, problem: null });
    talk.role = role ?? talk.role ?? "member";
  }

  const isIn = (key) => (state.conversations.get(key)?.role ?? null) !== null;

  /**
   * Closes rooms that the user is no longer a member of. A user without any room joins the lobby.
   */
  async function closeLeftRooms() {
    const gone = [...state.conversations.values()].filter(
      (it) => it.kind === "room" && !isIn(it.key),
    );
    const isInAnyRoom = [...state.conversations.values()].some(({ role }) => role !== null);
    for (const talk of gone) {
      if (talk.name === model.LOBBY && !isInAnyRoom) await joinAgain(talk);
      else close(talk.key);
    }
  }

  async function joinAgain(talk) {
    const answer = await ask("join", { room: talk.name });
    if (answer.ok) entered(talk.key, answer);
    else if (answer.code !== "offline") talk.problem = problemText(answer);
  }

  function leave() {
    const { key, kind, name } = model.opened(state);
    // Without a connection it is enough not to name the room at the next connect.
    if (kind === "room") void ask("leave", { room: name });
    close(key);
  }

  function close(key) {
    outbox.drop(key);
    model.closeConversation(state, key);
  }

  /** Joins again for a message that was refused with `not_member`. */
  async function rejoin(key) {
    const answer = await ask("join", { room: key.slice(5) });
    if (answer.ok) entered(key, answer);
  }

  async function mute() {
    const talk = model.opened(state);
    const answer = await ask("mute", { ...model.placeOf(talk), muted: !talk.muted });
    if (answer.ok) talk.muted = answer.muted;
    return result(answer, "");
  }

  async function invite(user, role) {
    const { name: room } = model.opened(state);
    const answer = await ask("invite", { room, user, role: role || undefined });
    return result(answer, `${user} is now ${roleName(answer.role)}.`);
  }

  async function kick(user) {
    const { name: room } = model.opened(state);
    return result(await ask("kick", { room, user }), `${user} is not in this room any more.`);
  }

  async function setTopic(text) {
    const talk = model.opened(state);
    const answer = await ask("topic", { room: talk.name, topic: text });
    if (answer.ok) talk.topic = answer.topic;
    return result(answer, "");
  }

  /** Shows what another device or an admin changed in the user's own membership. */
  function changed({ room, role, by }, before) {
    if (role === null) outbox.drop(model.roomKey(room));
    if (!by || by === state.user || role === before) return;
    const name = nameOf(by);
    if (role === null) notice(`${name} has removed you from ${room}.`);
    else if (before === null) notice(`${name} has invited you to ${room}.`);
    else notice(`${name} has made you ${roleName(role)} in ${room}.`);
  }

  return { join, leave, rejoin, closeLeftRooms, mute, invite, kick, setTopic, changed };
}

const problemText = ({ code, message }) => refusal(code, message);
const result = (answer, text) =>
  answer.ok ? { ok: true, text } : { ok: false, text: problemText(answer) };
