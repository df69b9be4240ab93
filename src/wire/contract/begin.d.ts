// The events of Roomcast VERSION. Written by `roomcast contract --format d.ts`.
//
//   import { io, type Socket } from "socket.io-client";
//   import type { AcksOptional, ClientToServerEvents, ServerToClientEvents } from "./roomcast";
//   const socket: AcksOptional<Socket<ServerToClientEvents, ClientToServerEvents>> = io(url);
//   const answer = await socket.emitWithAck("send message", { msg: "hello" });
//   if (!answer.ok) console.error(answer.code);
//   else socket.emit("read", { room: answer.room, seq: answer.seq });
//
// Events of your own:
//
//   declare module "./roomcast" {
//     interface ClientToServerEvents { drawing: (line: Line, color: string) => void }
//     interface ServerToClientEvents { drawing: (line: Line, color: string) => void }
//     interface ServerToClientEvents { confirm: (question: string, answer: (yes: boolean) => void) => void }
//     interface KeptEvents { move: [move: Move] }
//   }

/** Bytes: what the official client sends as an attachment, and receives. */
export type Bytes = ArrayBuffer | ArrayBufferView;

/** The body of a message: any JSON but `null` and a blank text, with bytes anywhere. */
export type Body = NonNullable<unknown>;

/** The arguments of your own events that are kept, by name. Extend it. */
export interface KeptEvents {}

/** An event of your own as an entry of a conversation's log. */
export type KeptEntryOf<E, Args> = {
  event: E;
  room: string;
  seq: number;
  id: string;
  user: string;
  at: string;
} & ({ args: Args; deleted?: never } | { args?: never; deleted: true });

/** The last argument of an event of your own that was kept. */
export interface Kept {
  room: string;
  seq: number;
  id: string;
  user: string;
  /** The display name of the user. */
  name?: string;
  at: string;
}

/** The answer to a request. */
export type Answer<T> = ({ ok: true } & T) | ({ ok: false } & Refusal);

