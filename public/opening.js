// The open conversation: which one it is, its newest page or the page around a message, and who is
// in it.

import * as model from "./state.js";

/**
 * `ask(event, data)` does not fail: without a connection it answers `offline`. `drawNow()` draws the
 * page at once, `changed()` soon.
 */
export function makeOpening({ state, history, reader, presence, ask, drawNow, changed }) {
  function refresh() {
    reader.refresh();
    changed();
  }

  /** Opens a conversation at its end, or at the message `seq`. */
  function open(key, seq) {
    model.openConversation(state, key);
    const talk = model.opened(state);
    state.target = seq === undefined ? null : { key, seq };
    if (seq !== undefined) state.pinned = false;
    if (state.link === "online") {
      if (seq !== undefined) void fetchAround(talk, seq);
      else if (!talk.loaded) void fetchNewest(talk);
      if (talk.kind === "room") void listPeople(talk.name);
      else presence.refresh();
    }
    reader.refresh();
    drawNow();
  }

  /** Loads the newest page of a conversation. */
  async function fetchNewest(talk) {
    await history.newest(talk);
    refresh();
  }

  /** Loads the page around a message. */
  async function fetchAround(talk, seq) {
    await history.around(talk, seq);
    if (!talk.loaded) await history.newest(talk);
    refresh();
  }

  /** Loads the newest page again, if the room is the open one. */
  function fetchAgain(room) {
    const talk = state.conversations.get(model.roomKey(room));
    if (talk && talk.key === state.open) void fetchNewest(talk);
  }

  /** Requests the users of the open room; for the lobby the server sends them by itself. */
  function listOpen() {
    const { kind, name } = model.opened(state);
    if (kind === "room" && name !== model.LOBBY) void listPeople(name);
  }

  async function listPeople(room) {
    const answer = await ask("GroupList", { room });
    const talk = state.conversations.get(model.roomKey(room));
    if (answer.ok && talk) {
      model.setUsers(talk, answer.users, answer.count);
      presence.refresh();
    }
    changed();
    return answer;
  }

  return { open, fetchNewest, fetchAgain, listOpen, listPeople };
}
