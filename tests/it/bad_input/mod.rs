//! Input that broke other servers: the server answers it or closes the connection, and other
//! clients are unaffected.
//!
//! After each input, two other clients exchange messages: no other message has taken a `seq` in
//! their room, and they receive only each other's events.

mod frames;
mod http;
mod packets;

use serde_json::{Value, json};

use crate::{
    clients::{Client, Wire},
    harness::TestServer,
};

/// Two clients that must not be affected.
struct Bystanders {
    ann: Client,
    bob: Client,
    seq: u64,
}

impl Bystanders {
    async fn new(server: &TestServer) -> Self {
        let ann = Client::named(server, Wire::WebSocket, "ann").await;
        let mut bob = Client::named(server, Wire::SocketIo, "bob").await;
        while bob.ask("GroupList", Value::Null).await["count"] != 2 {}
        Self { ann, bob, seq: 0 }
    }

    /// Checks that `what` has had no effect.
    async fn check_undisturbed(&mut self, what: &str) {
        let what = &format!("after {what}");
        self.seq += 1;
        assert_eq!(self.ann.post(what).await, self.seq, "something was stored: {what}");
        for client in [&mut self.ann, &mut self.bob] {
            let received = client.next("new message").await;
            assert_eq!(received["msg"], **what, "something was sent");
            for event in ["new message", "GroupChat", "SingleChat", "closing", "error message"] {
                assert!(!client.has_received(event).await, "{event} after {what}");
            }
        }
    }

    /// Checks once more, also that no other user is present.
    async fn finish(mut self, server: TestServer) {
        self.check_undisturbed("the end").await;
        let list = self.ann.ask("GroupList", Value::Null).await;
        assert_eq!(list["users"], json!(["ann", "bob"]));
        drop(self);
        server.stop().await;
    }
}
