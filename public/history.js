// Fetches what the page lacks: newest pages, older ones, and what nobody sends by itself: what
// direct conversations and the inbox missed.

import { holeAfter } from "./entries.js";
import { addPage, addTo, placeOf, unload } from "./state.js";
import { refusal } from "./words.js";

const PAGE = 50;
const CATCH_UP_PAGE = 200;

export function makeHistory({ state, ask, changed }) {
  /** Answers a page, or null when the connection broke: the next welcome asks again. */
  async function page(talk, range) {
    try {
      return await ask("history", { ...placeOf(talk), ...range });
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
    if (isOutside(talk)) {
      talk.problem ??= refusal("not_member");
      return changed();
    }
    return exclusively(talk, async () => {
      const answer = talk.loaded ? null : await page(talk, { limit: PAGE });
      if (!answer) return;
      talk.problem = answer.ok ? null : refusal(answer.code, answer.message);
      if (!answer.ok) return;
      talk.loaded = true;
      addPage(state, talk, answer.messages, answer.more);
      talk.read ??= talk.last;
      // What was heard before may lie apart from the page.
      if (holeAfter(talk) !== null) await follow(talk, holeAfter(talk));
    });
  }

  function older(talk) {
    const [first] = talk.entries;
    if (!first || !talk.loaded || !talk.more || talk.loading || state.link !== "online") return;
    return exclusively(talk, async () => {
      const answer = await page(talk, { before: first.seq, limit: PAGE });
      if (!answer || talk.entries[0] !== first) return;
      const { messages = [], more = false } = answer;
      addPage(state, talk, messages, more && messages.length > 0);
    });
  }

  /** Adds all that follows `seq`, page by page. */
  async function follow(talk, seq) {
    for (let after = seq, more = true; more; ) {
      const answer = await page(talk, { after, limit: CATCH_UP_PAGE });
      if (!answer?.ok || answer.messages.length === 0) return;
      for (const entry of answer.messages) addTo(state, talk, entry);
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

  /** After a welcome: what is before the reader first, then what was there before. */
  async function catchUp() {
    const talks = [...state.conversations.values(), state.inbox];
    const isOpen = ({ key }) => key === state.open || (key === state.inbox.key && state.inboxOpen);
    for (const talk of talks.sort((a, b) => isOpen(b) - isOpen(a))) {
      if (isOutside(talk)) continue;
      if (!talk.loaded) {
        unload(talk);
        if (isOpen(talk)) await newest(talk);
      } else if (talk.kind !== "room") {
        await exclusively(talk, () => follow(talk, talk.last));
      }
    }
  }

  return { newest, older, heal, catchUp };
}

const isOutside = ({ kind, role }) => kind === "room" && role === null;
