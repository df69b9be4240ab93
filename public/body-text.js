// A message's body as text, for notifications.

const CHARACTERS_MAX = 200;

/** The text of a body, or of what stands for it. */
export function bodyText(body) {
  if (typeof body === "string") return body;
  const parts = [body?.text, body?.caption, body?.message, body?.title, body?.alt];
  const text = parts.find((it) => typeof it === "string" && it.trim() !== "");
  if (text !== undefined) return text;
  return body instanceof ArrayBuffer || body?.image instanceof ArrayBuffer
    ? "Image"
    : "New message";
}

/** The beginning of a text, in one line. */
export function oneLine(text) {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > CHARACTERS_MAX ? `${line.slice(0, CHARACTERS_MAX)}…` : line;
}
