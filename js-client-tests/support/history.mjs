// Reads the whole history of a conversation.

/** All entries of `room` after `after`, page by page. */
export function readHistory(client, room, after = 0) {
  return pages(client, { room }, after);
}

/** All entries between the client's user and `other`. */
export function readDirectHistory(client, other) {
  return pages(client, { with: other }, 0);
}

async function pages(client, conversation, after) {
  const messages = [];
  for (let more = true; more; ) {
    const last = messages.at(-1)?.seq ?? after;
    const page = await client.ask("history", { ...conversation, after: last, limit: 200 });
    if (!page.ok) throw new Error(`history was refused: ${JSON.stringify(page)}`);
    messages.push(...page.messages);
    ({ more } = page);
  }
  return messages;
}
