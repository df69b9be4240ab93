// Lists that the server sends page by page: the members of a room, and the rooms that are open to
// this user.

/**
 * Both return an answer with `next` for the following page, or a refusal; null from a server that
 * has no such list.
 */
export function makeLists({ ask }) {
  const missing = new Set();

  async function list(event, data) {
    if (missing.has(event)) return null;
    const answer = await ask(event, data);
    if (answer.code !== "unknown_event") return answer;
    missing.add(event);
    return null;
  }

  return {
    members: (data) => list("members", data),
    rooms: (data) => list("rooms", data),
  };
}
