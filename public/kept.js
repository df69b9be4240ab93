// What this browser keeps of its user, for all tabs and across restarts, until they sign out: drafts,
// and which conversations were opened last. It is kept for one user: another one replaces it.

import { conversation, opened as openedIn } from "./state.js";
import { readJson, write } from "./storage.js";

const KEY = "roomcast-kept";
const DRAFTS_MAX = 50;
const DRAFT_CHARACTERS_MAX = 20_000;
const RECENT_MAX = 30;
const TYPING_WAIT_MS = 400;

/** `restore(state)` must be called before the state is drawn, `save(state)` when it has changed. */
export function makeKept() {
  let user = null;
  let recent = [];
  let known = new Map(); // the drafts of this tab's conversations, as they are stored

  /** Gives each new conversation its draft. */
  function restore(state) {
    if (state.user === null) return;
    openedIn(state); // drawing would make it, without a draft
    const isNew = state.user !== user;
    if (isNew) begin(state.user);
    if (!isNew && [...state.conversations.keys()].every((key) => known.has(key))) return;
    const { drafts } = stored();
    // A draft to a person opens their conversation again.
    for (const key of isNew ? Object.keys(drafts) : []) {
      if (key.startsWith("with:")) conversation(state, key);
    }
    for (const [key, talk] of state.conversations) {
      if (known.has(key)) continue;
      talk.draft ||= drafts[key] ?? "";
      known.set(key, talk.draft);
    }
  }

  function begin(name) {
    user = name;
    known = new Map();
    if (readJson("localStorage", KEY)?.user !== name) write("localStorage", KEY, null);
    ({ recent } = stored());
  }

  /** Nobody is signed in now; what is stored stays for the same user. */
  function end() {
    user = null;
    recent = [];
    known.clear();
  }

  /** Stores the drafts that have changed in this tab: another tab may have changed others. */
  function save(state) {
    const changes = [];
    for (const [key, before] of known) {
      const draft = (state.conversations.get(key)?.draft ?? "").slice(0, DRAFT_CHARACTERS_MAX);
      if (draft !== before) changes.push([key, draft]);
      if (state.conversations.has(key)) known.set(key, draft);
      else known.delete(key);
    }
    if (changes.length === 0) return;
    const drafts = new Map(Object.entries(stored().drafts));
    for (const [key, draft] of changes) {
      drafts.delete(key);
      if (draft !== "") drafts.set(key, draft); // the last one is the newest
    }
    store({ drafts: Object.fromEntries([...drafts].slice(-DRAFTS_MAX)) });
  }

  function opened(key) {
    if (recent[0] === key) return;
    recent = [key, ...recent.filter((it) => it !== key)].slice(0, RECENT_MAX);
    store({ recent });
  }

  /** What is stored of this user. Scripts of other versions may have written anything. */
  function stored() {
    const { user: owner, drafts, recent: keys } = readJson("localStorage", KEY) ?? {};
    if (owner !== user) return { drafts: {}, recent: [] };
    const texts = Object.entries(drafts ?? {}).filter(([, it]) => typeof it === "string");
    const all = Array.isArray(keys) ? keys.filter((it) => typeof it === "string") : [];
    return { drafts: Object.fromEntries(texts), recent: all };
  }

  function store(change) {
    if (user === null) return;
    write("localStorage", KEY, JSON.stringify({ user, ...stored(), ...change }));
  }

  /** Calls `keep()` a moment after the user has written: a draft is no reason to draw. */
  function follow(field, keep) {
    let due = null;
    field.addEventListener("input", () => {
      clearTimeout(due);
      due = setTimeout(keep, TYPING_WAIT_MS);
    });
  }

  function forget() {
    end();
    write("localStorage", KEY, null);
  }

  return { restore, save, opened, follow, end, forget, recent: () => recent };
}
