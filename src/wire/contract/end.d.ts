/**
 * The same events with acknowledgements that may be left out. `emitWithAck` of the official client is
 * then untyped, so use it for `emit` alone:
 * `const loose = socket as Socket<ServerToClientEvents, AcksOptional<ClientToServerEvents>>`.
 */
export type AcksOptional<Events> = {
  [E in keyof Events]: Events[E] extends (...args: infer Args) => void
    ? (...args: WithOptionalAck<Args>) => void
    : Events[E];
};

type WithOptionalAck<Args> = Args extends [...infer Data, infer Ack]
  ? Ack extends (...answer: never) => void
    ? [...data: Data, ack?: Ack]
    : Args
  : Args;

/** A request of a plain WebSocket client. */
export type RequestFrame = {
  [E in keyof Requests]: { event: E; data: Requests[E]; ack?: number };
}[keyof Requests];

/** An event of the protocol as a plain WebSocket client receives it. */
export type EventFrame = {
  [E in keyof Events]: { event: E; data: Events[E] };
}[keyof Events];

/** The answer to a request of a plain WebSocket client, whose name says which of `Answers` it is. */
export type AnswerFrame<E extends keyof Answers = keyof Answers> = { ack: number } & Answer<Answers[E]>;

/** An event of your own as a plain WebSocket client receives it. With `ask` your back end awaits an answer. */
export type OwnEventFrame<Args extends unknown[] = unknown[]> = { event: string; args: Args; ask?: number };

/** The answer to an event with `ask`, from a plain WebSocket client: any arguments, or one as `data`. */
export type AskAnswerFrame<Args extends unknown[] = unknown[]> = { answer: number } & (
  | { args?: Args; data?: never }
  | { args?: never; data: Args[0] }
);
