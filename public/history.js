// Fetches what the page lacks: newest pages, older ones, and what direct conversations missed.

import { addMessage, addPage, holeAfter, messageFrom, unload } from "./state.js";

const PAGE = 50;
const CATCH_UP_PAGE = 200;

export function makeHistory({ state, ask, changed }) {
  const target = (talk) => (talk.kind === "room" ? { room: talk.name } : { with: talk.name });

  /** Answers a page, or null when the connection broke: the next welcome asks again. */
  async function page(talk, range) {
    try {
      return await ask("history", { ...target(talk), ...range });
    } catch {
      return null;
    }
  }

  /** Runs one fetch of a conversation after the other. */
  async function exclusively(talk, fetch) {
    while (talk.loading) await talk.loading;
    talk.loading = fetch();
    changed();
    await talk.loading;
    talk.loading = null;
    changed();
  }

  function newest(talk) {
    return exclusively(talk, async () => {
      const answer = talk.loaded ? null : await page(talk, { limit: PAGE });
      if (!answer) return;
      talk.problem = answer.ok ? null : answer.code;
      if (!answer.ok) return;
      talk.loaded = true;
      addPage(state, talk, answer.messages, answer.more);
      talk.read ??= talk.last;
    });
  }

  function older(talk) {
    const [first] = talk.messages;
    if (!first || !talk.loaded || !talk.more || talk.loading || state.link !== "online") return;
    return exclusively(talk, async () => {
      const answer = await page(talk, { before: first.seq, limit: PAGE });
      if (!answer || talk.messages[0] !== first) return;
      const { messages = [], more = false } = answer;
      addPage(state, talk, messages, more && messages.length > 0);
    });
  }

  /** Adds all that follows `seq`, page by page. */
  async function follow(talk, seq) {
    for (let after = seq, more = true; more; ) {
      const answer = await page(talk, { after, limit: CATCH_UP_PAGE });
      if (!answer?.ok || answer.messages.length === 0) return;
      for (const data of answer.messages) addMessage(state, messageFrom(state, data.event, data));
      after = answer.messages.at(-1).seq;
      more = answer.more;
      changed();
    }
  }

  /** Closes a hole in the window, once per hole: what the server no longer has stays one. */
  function heal(talk) {
    if (!talk.loaded || holeAfter(talk) === null) return;
    return exclusively(talk, async () => {
      const hole = holeAfter(talk);
      if (hole === null || hole === talk.healed) return;
      talk.healed = hole;
      await follow(talk, hole);
    });
  }

  /** After a welcome: the open conversation first, the others one by one. */
  async function catchUp() {
    const talks = [...state.conversations.values()];
    for (const talk of talks.sort((a, b) => (b.key === state.open) - (a.key === state.open))) {
      if (!talk.loaded) {
        unload(talk);
        await newest(talk);
      } else if (talk.kind === "direct") {
        await exclusively(talk, () => follow(talk, talk.last));
      }
    }
  }

  return { newest, older, heal, catchUp };
}
