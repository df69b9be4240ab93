// Queries presence: online, number of devices, last seen.

import { knowPeople } from "./events.js";
import { opened } from "./state.js";

const ASK_WAIT_MS = 150;
const REPEAT_MS = 30_000;
const USERS_MAX = 100;

/** `refresh()` sends one query for all calls within a moment; while the page is visible it repeats. */
export function makePresence({ state, request, changed }) {
  let timer = null;
  setInterval(() => state.visible && refresh(), REPEAT_MS);

  function refresh() {
    if (timer !== null) return;
    timer = setTimeout(async () => {
      timer = null;
      if (state.link !== "online") return;
      const users = wanted(state);
      if (users.length === 0) return;
      const answer = await request("presence", { users }).catch(() => null);
      if (!answer?.ok) return;
      knowPeople(state, answer.users);
      changed();
    }, ASK_WAIT_MS);
  }

  return { refresh };
}

/** The visible users: direct conversations, and the users of the open room. */
function wanted(state) {
  const open = opened(state);
  const directs = [...state.conversations.values()].filter(({ kind }) => kind === "direct");
  const names = [...directs.map(({ name }) => name), ...(open.users ?? [])];
  if (open.kind === "direct") names.unshift(open.name);
  return [...new Set(names)].slice(0, USERS_MAX);
}
