// Uses of the declarations that `roomcast contract --format d.ts` prints. A test has `tsc` check them:
// what follows `@ts-expect-error` must be refused, and everything else must be accepted.

import { io, type Socket } from "socket.io-client";

import type {
  AcksOptional,
  AnswerFrame,
  AskAnswerFrame,
  ClientToServerEvents,
  CloseCode,
  ConnectParameters,
  EventFrame,
  OwnEventFrame,
  RequestFrame,
  ServerToClientEvents,
} from "./roomcast";

interface Line {
  x: number;
  y: number;
}

declare module "./roomcast" {
  interface ClientToServerEvents {
    drawing: (line: Line, color: string) => void;
    add: (one: number, other: number, ack: (sum: number) => void) => void;
  }
  interface ServerToClientEvents {
    drawing: (line: Line, color: string) => void;
    confirm: (question: string, answer: (yes: boolean) => void) => void;
  }
  interface KeptEvents {
    move: [from: string, to: string];
  }
}

const auth: ConnectParameters = { token: "a.b.c", since: { lobby: 41 }, epoch: "e1" };
const socket: AcksOptional<Socket<ServerToClientEvents, ClientToServerEvents>> = io(
  "http://127.0.0.1:3000",
  { auth },
);
const strict: Socket<ServerToClientEvents, ClientToServerEvents> = socket;

export async function requests(): Promise<void> {
  const posted = await socket.emitWithAck("send message", { room: "lobby", msg: { text: "hi" } });
  if (posted.ok) {
    const seq: number = posted.seq;
    const again: true | undefined = posted.duplicate;
    socket.emit("read", { room: "lobby", seq }, (answer) => {
      if (answer.ok) console.log(answer.unread, again);
    });
    // @ts-expect-error: an answer that succeeded has no code
    console.log(posted.code);
  } else {
    const code: string = posted.code;
    console.log(code, posted.message, posted.retryAfterMs);
    // @ts-expect-error: a refusal has no seq
    console.log(posted.seq);
  }
  await socket.emitWithAck("send message", "hi");
  await socket.emitWithAck("send message", new Uint8Array([1, 2]));
  await socket.emitWithAck("join");
  const joined = await socket.emitWithAck("join", { room: "team", since: 3 });
  if (joined.ok && joined.role === "owner") console.log(joined.count);
  const page = await socket.emitWithAck("history", { with: "bob", before: 7, limit: 20 });
  if (page.ok) {
    for (const entry of page.messages) {
      if (entry.event === "new message") console.log(entry.username, entry.msg ?? entry.deleted);
      if (entry.event === "move" && entry.args) {
        const [from, to] = entry.args;
        console.log(from.length + to.length);
      }
      // @ts-expect-error: no entry has this event
      if (entry.event === "typing") console.log(entry);
    }
  }
  socket.emit("new user", "ann", (...answer) => {
    if (answer[0]) console.log(answer[1].token);
    else console.log(answer[1].code);
  });
  socket.timeout(1000).emit("mute", { room: "team", muted: true }, (error, answer) => {
    if (!error && answer.ok) console.log(answer.muted);
  });

  // @ts-expect-error: no such event
  await socket.emitWithAck("send mesage", "hi");
  // @ts-expect-error: a message has a body
  await socket.emitWithAck("send message", { room: "lobby" });
  // @ts-expect-error: null is no body
  await socket.emitWithAck("send message", { msg: null });
  // @ts-expect-error: a number is no room
  await socket.emitWithAck("join", { room: 7 });
  // @ts-expect-error: one conversation, not two
  await socket.emitWithAck("history", { room: "team", inbox: true });
  // @ts-expect-error: before or after, not both
  await socket.emitWithAck("history", { before: 1, after: 2 });
  // @ts-expect-error: no such role
  await socket.emitWithAck("invite", { user: "bob", role: "god" });
  // @ts-expect-error: without `AcksOptional`, the acknowledgement is not optional
  strict.emit("typing", { typing: true });
}

export function events(): void {
  socket.on("welcome", ({ rooms, directs, inbox, limits }) => {
    for (const { room, role, unread } of rooms) console.log(room, role, unread);
    for (const { with: other, muted } of directs) console.log(other, muted);
    console.log(inbox.seq, limits.bodyBytesMax);
  });
  socket.on("membership", (change) => {
    if (change.role === null) console.log(change.by);
    else console.log(change.unread);
  });
  socket.on("missed", (missed) => {
    if (missed.recovered) console.log(missed.more);
    else console.log(missed.head);
  });
  socket.on("closing", ({ code, reconnect, afterMs, until }) => {
    const why: CloseCode = code;
    console.log(why, reconnect ? afterMs : undefined, until?.length);
  });
  socket.on("clock", ({ at }) => console.log(new Date(at)));
  socket.on("error message", ({ event, code }) => console.log(event ?? "?", code));
  socket.on("presence", (it) => console.log("count" in it ? it.count : it.users.length));
  socket.on("get users", (names) => console.log(names.join()));

  // @ts-expect-error: no such event
  socket.on("new mesage", () => {});
  // @ts-expect-error: a message has no such key
  socket.on("new message", ({ author }) => console.log(author));
  socket.on("typing", ({ typing }) => {
    // @ts-expect-error: it is a boolean
    const text: string = typing;
    console.log(text);
  });
}

export async function ownEvents(): Promise<void> {
  socket.emit("drawing", { x: 1, y: 2 }, "red");
  socket.on("drawing", (line, color) => console.log(line.x, color.length));
  const sum: number = await socket.emitWithAck("add", 1, 2);
  console.log(sum);
  // @ts-expect-error: the color is a text
  socket.emit("drawing", { x: 1, y: 2 }, 3);
}

export function asked(): void {
  socket.on("confirm", (question, answer) => answer(question.length > 0));
  // @ts-expect-error: the answer is a boolean
  socket.on("confirm", (_question, answer) => answer("yes"));
}

export function askedOverPlainWebSocket(
  frame: OwnEventFrame<[question: string]>,
): AskAnswerFrame | undefined {
  if (frame.ask === undefined) return undefined;
  const one: AskAnswerFrame<[boolean]> = { answer: frame.ask, data: frame.args[0] !== "" };
  // @ts-expect-error: arguments or one as data, not both
  const both: AskAnswerFrame = { answer: frame.ask, args: [], data: 7 };
  console.log(one, both);
  return { answer: frame.ask, args: [true, "but keep a copy"] };
}

export function acknowledgementsLeftOut(): void {
  socket.on("new message", ({ room, seq }) => socket.emit("read", { room, seq }));
  socket.emit("typing", { room: "team", typing: true }).emit("join");
  socket.emit("typing", { room: "team", typing: true }, (answer) => console.log(answer.ok));
  socket.volatile.emit("typing", { room: "team", typing: true });
  socket.emit("join", "team");
  socket.emit("add", 1, 2);
  // @ts-expect-error: the argument is checked as before
  socket.emit("typing", { room: "team" });
  // @ts-expect-error: it is not optional
  socket.emit("read");
  // @ts-expect-error: so is the acknowledgement
  socket.emit("add", 1, 2, (sum: string) => console.log(sum));
  // @ts-expect-error: no such event
  socket.emit("send mesage", "hi");
}

export function frames(frame: EventFrame, answer: AnswerFrame<"join">): RequestFrame {
  if (frame.event === "new message") console.log(frame.data.username);
  // @ts-expect-error: no such event
  if (frame.event === "new mesage") console.log(frame);
  if (answer.ok) console.log(answer.ack, answer.role);
  return { event: "send message", data: { msg: "hi" }, ack: 7 };
}
