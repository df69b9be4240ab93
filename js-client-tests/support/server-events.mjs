// What the server may say: the second table of docs/protocol.md, and the answers that come as events
// when no acknowledgement was asked for.

export const SERVER_EVENTS = [
  "welcome",
  "auth expiring",
  "get users",
  "presence",
  "new message",
  "GroupChat",
  "SingleChat",
  "message edited",
  "message deleted",
  "notification",
  "read",
  "typing",
  "membership",
  "user joined",
  "user left",
  "missed",
  "closing",
  "error message",
  "GroupList",
  "history",
];
