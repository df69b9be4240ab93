//! Events that a client is asked to answer.

use serde_json::{Value, json};

use super::{Client, Received, Transport};

impl Client {
    /// The number of the next ask, which is for this event.
    pub(crate) async fn asked(&mut self, event: &str) -> u64 {
        match self.wait(event, |it| matches!(it, Received::Ask(..))).await {
            Received::Ask(number, name) if name == event => number,
            other => panic!("{other:?} in place of {event}"),
        }
    }

    /// Answers an ask with these arguments.
    pub(crate) async fn answer_ask(&mut self, number: u64, args: Value) {
        match &mut self.transport {
            Transport::WebSocket(transport) => {
                transport.send_text(json!({ "answer": number, "args": args }).to_string()).await;
            }
            Transport::SocketIo(transport) => transport.acknowledge(number, args).await,
        }
    }
}
