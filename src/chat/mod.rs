//! What the server does: sessions, posts, rooms, history, presence; and the ports that it needs.
//!
//! A transport makes a [`Hello`] of what a connection says at the door, lets [`Chat::admit`] decide,
//! enters with an [`Outbox`](ports::Outbox), and then hands each [`Request`] to its [`Session`] in
//! the order in which they came. It decides nothing.

mod door;
pub mod event;
mod hub;
mod journal;
pub mod ports;
mod request;
mod session;
mod sign_in;
#[cfg(test)]
pub(crate) mod test_support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

pub use self::{
    door::Admission,
    journal::Writer,
    request::{Answer, Answerer, Hello, HistoryOf, Receipt, Reply, Request, RoomPost},
    session::{Departure, Session},
    sign_in::{Credential, Profile, SignedIn},
};
use self::{
    hub::Hub,
    journal::Journal,
    ports::{Bus, Clock, IdSource, Store, Tokens},
};
use crate::domain::{CloseReason, Limits, NodeId, SpacePattern};

/// What a chat is made of.
#[expect(missing_debug_implementations, reason = "engines need not print")]
pub struct Parts {
    /// The engine that keeps.
    pub store: Arc<dyn Store>,
    /// The engine that carries.
    pub bus: Arc<dyn Bus>,
    /// The engine that proves.
    pub tokens: Arc<dyn Tokens>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub ids: Arc<dyn IdSource>,
    /// What the operator decided.
    pub rules: Rules,
}

/// What the operator decided.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How far everything may grow.
    pub limits: Limits,
    /// Who may come without a token.
    pub guests: Guests,
    /// How long a guest's token is good.
    pub guest_lifetime: Duration,
    /// On how many devices a user may be at once.
    pub devices: Devices,
    /// The spaces there are besides `/`.
    pub spaces: Vec<SpacePattern>,
    /// What this process calls itself.
    pub node: NodeId,
}

/// Whether somebody may come without a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guests {
    /// Anybody may come and pick a name.
    On,
    /// Nobody.
    Off,
}

/// On how many devices a user may be at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Devices {
    /// On any number.
    Many,
    /// On the one that came last: it signs the others out.
    Newest,
}

/// The chat of this node.
pub struct Chat {
    store: Arc<dyn Store>,
    tokens: Arc<dyn Tokens>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    rules: Rules,
    hub: Arc<Hub>,
    journal: Journal,
    draining: AtomicBool,
}

impl std::fmt::Debug for Chat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chat").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Chat {
    /// Puts a chat together. The [`Writer`] has to run for messages to be stored.
    pub fn new(parts: Parts) -> (Arc<Self>, Writer) {
        let Parts { store, bus, tokens, clock, ids, rules } = parts;
        let hub = Hub::new(rules.limits.clone());
        let (journal, writer) =
            Journal::new(&rules.limits, Arc::clone(&store), bus, Arc::clone(&hub));
        let draining = AtomicBool::new(false);
        (Arc::new(Self { store, tokens, clock, ids, rules, hub, journal, draining }), writer)
    }

    /// How far everything may grow.
    pub fn limits(&self) -> &Limits {
        &self.rules.limits
    }

    /// Ends the graces of those who left and tells rooms who is in them. Runs for ever.
    pub async fn call_roll(self: Arc<Self>) {
        Arc::clone(&self.hub).call_roll().await;
    }

    /// How many connections there are on this node.
    pub fn connections(&self) -> usize {
        self.hub.connections()
    }

    /// Refuses whoever comes from now on, and begins the end of every connection.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.hub.close_all(CloseReason::Draining);
    }

    /// Waits until everybody has gone. After [`drain`](Self::drain) nobody comes any more.
    pub async fn drained(&self) {
        self.hub.emptied().await;
    }

    /// Whether [`drain`](Self::drain) was called.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }
}
