// The events of the server: the second table of docs/protocol.md, and the answers that are events
// when a request asked for no acknowledgement.

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
  "topic",
  "notification",
  "read",
  "typing",
  "membership",
  "user joined",
  "user left",
  "missed",
  "clock",
  "closing",
  "error message",
  "GroupList",
  "history",
];
