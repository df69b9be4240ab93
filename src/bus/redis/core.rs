//! What the bus and its links share.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{PushInfo, PushKind, Value};
use tokio::{sync::Notify, time::Instant};
use tracing::{debug, info, warn};

use super::{
    envelope::{self, Found},
    names::{Group, Meaning, Names},
    outgoing::{Letter, Outgoing},
    server::Trouble,
    state::{DEAF_AFTER, State},
};
use crate::{
    bus::inbox::{Inbox, Kept},
    domain::{Channel, NodeId},
};

/// See the module.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) node: NodeId,
    pub(super) names: Names,
    pub(super) inbox: Inbox,
    /// Pings say when they were sent, since then.
    epoch: Instant,
    lives: AtomicU64,
    state: Mutex<State>,
    /// There is something to publish, or to listen to, or the bus closes.
    pub(super) changed: Notify,
    /// A link has ended, or has nothing under way.
    pub(super) settled: Notify,
}

/// One connection's time, for the groups that it serves. When it is dropped they are not heard.
#[derive(Debug)]
pub(super) struct Life {
    core: Arc<Core>,
    number: u64,
    groups: Box<[Group]>,
    begin: Instant,
    /// The server lets go of channels that it was not asked to let go of.
    moved: Notify,
}

impl Core {
    pub(super) fn new(node: NodeId, names: Names, inbox: Inbox, outgoing: Outgoing) -> Arc<Self> {
        Arc::new(Self {
            node,
            names,
            inbox,
            epoch: Instant::now(),
            lives: AtomicU64::new(0),
            state: Mutex::new(State::new(outgoing)),
            changed: Notify::new(),
            settled: Notify::new(),
        })
    }

    /// Poisoning is ignored: each step leaves the state consistent.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_whole(&self) -> bool {
        !self.inbox.overflows() && self.lock().is_whole(Instant::now())
    }

    /// Tells the operator of trouble, once until it is over.
    pub(super) fn tell(&self, server: &str, trouble: &Trouble) {
        let is_new = self.lock().trouble.replace(Instant::now()).is_none();
        if is_new {
            warn!(
                server.address = server,
                error = %trouble,
                "the bus is deaf: this node and the others may not hear each other"
            );
        } else {
            debug!(server.address = server, error = %trouble, "the bus is still deaf");
        }
    }

    /// Tells the operator that trouble is over, if it is.
    fn tell_end(&self) {
        let mut state = self.lock();
        if state.trouble.is_some() && state.is_whole(Instant::now()) {
            state.trouble = None;
            drop(state);
            info!("the bus is whole again");
        }
    }

    fn read(&self, channel: Channel, payload: &[u8]) {
        let found = match envelope::open(payload) {
            // Half of what comes is one's own where there are two: it is not read to its end.
            Ok(found) if found.is_from(&self.node) => return,
            found => found,
        };
        match found.and_then(Found::read) {
            Ok(announcement) => {
                if self.inbox.push(channel, announcement, payload.len()) == Kept::No {
                    debug!(channel = channel.as_raw(), "the inbox of the bus is full");
                }
            }
            Err(malformed) => {
                debug!(channel = channel.as_raw(), error = %malformed, "news cannot be read");
            }
        }
    }
}

impl Life {
    pub(super) fn begin(core: &Arc<Core>, groups: &[Group]) -> Arc<Self> {
        let number = core.lives.fetch_add(1, Ordering::Relaxed);
        core.lock().begin(number, groups);
        Arc::new(Self {
            core: Arc::clone(core),
            number,
            groups: groups.into(),
            begin: Instant::now(),
            moved: Notify::new(),
        })
    }

    /// Takes what the server says unasked.
    pub(super) fn hear(&self, push: PushInfo) {
        let PushInfo { kind, data } = push;
        let mut data = data.into_iter();
        let Some(Value::BulkString(name)) = data.next() else { return };
        let Some(meaning) = self.core.names.meaning(&name) else { return };
        match (kind, meaning) {
            (PushKind::Message | PushKind::SMessage, Meaning::Channel(channel)) => {
                let Some(Value::BulkString(payload)) = data.next() else { return };
                let wanted = self.core.lock().is_wanted(channel);
                if wanted {
                    self.core.read(channel, &payload);
                }
            }
            (PushKind::Message | PushKind::SMessage, Meaning::Ping(group)) => {
                let Some(Value::BulkString(payload)) = data.next() else { return };
                if let Some(sent) = self.sent(&payload) {
                    self.core.lock().prove(self.number, group, sent);
                    self.core.tell_end();
                }
            }
            (PushKind::Subscribe | PushKind::SSubscribe, Meaning::Channel(channel)) => {
                // In one step, so that nobody finds the bus whole before this is said.
                let mut state = self.core.lock();
                if state.confirm(self.number, channel) {
                    self.core.inbox.open([channel]);
                }
            }
            (PushKind::Unsubscribe | PushKind::SUnsubscribe, meaning) => {
                let asked = match meaning {
                    Meaning::Channel(channel) => self.core.lock().left(self.number, channel),
                    Meaning::Ping(_) => false,
                };
                if !asked {
                    self.moved.notify_one();
                }
            }
            _ => (),
        }
    }

    /// What a ping says that is sent now.
    pub(super) fn ping(&self) -> String {
        format!("{}:{}", self.number, self.core.epoch.elapsed().as_millis())
    }

    /// When a ping of this life was sent.
    fn sent(&self, payload: &[u8]) -> Option<Instant> {
        let (number, millis) = str::from_utf8(payload).ok()?.split_once(':')?;
        let elapsed = Duration::from_millis(millis.parse().ok()?);
        let mine = number.parse() == Ok(self.number) && elapsed <= self.core.epoch.elapsed();
        mine.then(|| self.core.epoch + elapsed)
    }

    /// Waits until the life is to end, which is connected since then: a group is deaf, or has moved.
    /// Cancel-safe.
    pub(super) async fn is_over(&self, since: Instant) -> Trouble {
        tokio::select! {
            () = self.moved.notified() => Trouble::Moved,
            () = self.is_deaf(since) => Trouble::Deaf,
        }
    }

    async fn is_deaf(&self, since: Instant) {
        loop {
            let due = self.core.lock().proved(&self.groups, since) + DEAF_AFTER;
            if due <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(due).await;
        }
    }

    /// Whether it was ever heard, and so the server was well.
    pub(super) fn was_well(&self) -> bool {
        self.core.lock().proved(&self.groups, self.begin) > self.begin
    }

    /// Takes the next letters that are to go. They are under way until the answer is dropped.
    pub(super) fn take(&self) -> UnderWay<'_> {
        let mut state = self.core.lock();
        let letters = state.outgoing.take(&self.groups, Instant::now());
        state.under_way += letters.len();
        UnderWay { core: &self.core, letters }
    }

    /// What is to be subscribed to.
    pub(super) fn missing(&self) -> Vec<Channel> {
        self.core.lock().missing(&self.groups)
    }

    /// What is to be unsubscribed from.
    pub(super) fn take_surplus(&self) -> Vec<Channel> {
        self.core.lock().take_surplus(&self.groups)
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.core.lock().end(self.number);
    }
}

/// Letters that were taken.
pub(super) struct UnderWay<'a> {
    core: &'a Core,
    pub(super) letters: Vec<Letter>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.core.lock().under_way -= self.letters.len();
        self.core.settled.notify_waiters();
    }
}
