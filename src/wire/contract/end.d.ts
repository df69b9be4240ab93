/**
 * A socket of the official client whose `emit` permits to leave out the acknowledgement. The events
 * themselves have it, because `emitWithAck` finds its types in them.
 */
export type AcksOptional<Socket> = Socket & {
  emit<E extends keyof ClientToServerEvents>(
    event: E,
    ...args: WithOptionalAck<Parameters<ClientToServerEvents[E]>>
  ): AcksOptional<Socket>;
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
