// The whole of a room's history.

/** Everything in `room` after `after`, page by page. */
export async function everything(client, room, after = 0) {
  const messages = [];
  for (let more = true; more; ) {
    const last = messages.at(-1)?.seq ?? after;
    const page = await client.ask("history", { room, after: last, limit: 200 });
    if (!page.ok) throw new Error(`history was refused: ${JSON.stringify(page)}`);
    messages.push(...page.messages);
    ({ more } = page);
  }
  return messages;
}
