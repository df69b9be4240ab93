// Asks who is online, on how many devices, and since when the others are not.

import { knowPeople } from "./events.js";
import { opened } from "./state.js";

const ASK_WAIT_MS = 150;
const AGAIN_WAIT_MS = 30_000;
const USERS_MAX = 100;

/** `look()` asks soon, once for all calls until then; while the page is on screen it asks again. */
export function makePresence({ state, request, changed }) {
  let timer = null;
  setInterval(() => state.visible && look(), AGAIN_WAIT_MS);

  function look() {
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

  return { look };
}

/** Those who are shown: who one talks with, and who is in the room. */
function wanted(state) {
  const open = opened(state);
  const directs = [...state.conversations.values()].filter(({ kind }) => kind === "direct");
  const names = [...directs.map(({ name }) => name), ...(open.users ?? [])];
  if (open.kind === "direct") names.unshift(open.name);
  return [...new Set(names)].slice(0, USERS_MAX);
}
