// Loads history: newest pages, older ones, and what the server does not send by itself: missed
// entries of direct conversations and the inbox.

import { gapAfter } from "./entries.js";
import { addPage, addTo, placeOf, unload } from "./state.js";
import { refusal } from "./words.js";

const PAGE = 50;
const CATCH_UP_PAGE = 200;

export function makeHistory({ state, ask, changed }) {
  /** Returns a page, or null if the connection broke: the next welcome requests it again. */
  async function page(talk, range) {
    try {
      return await ask("history", { ...placeOf(talk), ...range });
    } catch {
      return null;
    }
  }

  /** Runs the fetches of a conversation one after the other. */
  async function exclusively(talk, fetch) {
    while (talk.loading) await talk.loading;
    talk.loading = fetch();
    changed();
    await talk.loading;
    talk.loading = null;
    changed();
  }

  function newest(talk) {
    if (isNotMember(talk)) {
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
      // Entries that arrived before may be separated from the page by a gap.
      if (gapAfter(talk) !== null) await follow(talk, gapAfter(talk));
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

  /** Loads a window around `seq`, unless the present one has it. */
  function around(talk, seq) {
    return exclusively(talk, async () => {
      const [first] = talk.entries;
      if (talk.loaded && first?.seq <= seq && talk.entries.at(-1).seq >= seq) return;
      const after = Math.max(0, seq - PAGE / 2);
      const answer = await page(talk, { after, limit: PAGE });
      if (!answer?.ok || answer.messages.length === 0) return;
      unload(talk);
      talk.loaded = true;
      addPage(state, talk, answer.messages, after > 0);
      reachesTo(talk, answer.more);
    });
  }

  /** Loads the entries after a window that does not reach to the end. */
  function newer(talk) {
    if (!talk.newer || talk.loading || state.link !== "online") return;
    return exclusively(talk, async () => {
      const last = talk.entries.at(-1);
      const answer = await page(talk, { after: last.seq, limit: PAGE });
      if (!answer?.ok || talk.entries.at(-1) !== last) return;
      addPage(state, talk, answer.messages);
      reachesTo(talk, answer.more && answer.messages.length > 0);
    });
  }

  /** An entry that arrived while the page was on its way may follow it. */
  function reachesTo(talk, more) {
    talk.newer = more || talk.last > talk.entries.at(-1).seq;
  }

  /** Adds all entries after `seq`, page by page. */
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

  /** Fills a gap in the window, once per gap: entries that the server deleted leave it open. */
  function fillGap(talk) {
    if (!talk.loaded || gapAfter(talk) === null) return;
    return exclusively(talk, async () => {
      const gap = gapAfter(talk);
      if (gap === null || gap === talk.filledGap) return;
      talk.filledGap = gap;
      await follow(talk, gap);
    });
  }

  /** After a welcome: loads what is visible first, then what was loaded before. */
  async function catchUp() {
    const talks = [...state.conversations.values(), state.inbox];
    const isOpen = ({ key }) => key === state.open || (key === state.inbox.key && state.inboxOpen);
    for (const talk of talks.sort((a, b) => isOpen(b) - isOpen(a))) {
      if (isNotMember(talk)) continue;
      if (!talk.loaded) {
        unload(talk);
        if (isOpen(talk)) await newest(talk);
      } else if (talk.kind !== "room") {
        await exclusively(talk, () => follow(talk, talk.last));
      }
    }
  }

  return { newest, older, newer, around, fillGap, catchUp };
}

const isNotMember = ({ kind, role }) => kind === "room" && role === null;
