//! The links of this node: found by session id while they poll, closed together on drain.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use socketioxide::socket::Sid;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    link::{Fate, Link, Words},
    polling::Polled,
};
use crate::{
    domain::{CloseReason, Limits},
    tasks::Tasks,
};

/// How often polling sessions are looked at that nobody seems to use.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);

/// How often, on drain, it is looked for sessions that nobody else ends.
const DRAIN_INTERVAL: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Default)]
pub(super) struct Links {
    state: Mutex<State>,
    /// How many have not come to their end. The engine keeps some for a while after it.
    living: AtomicUsize,
}

#[derive(Default)]
struct State {
    next: u64,
    all: HashMap<u64, Weak<Link>>,
    polled: HashMap<Sid, u64>,
}

/// A link's place among the others. Dropping it gives the place up.
pub(super) struct Registration {
    links: Arc<Links>,
    number: u64,
    sid: OnceLock<Sid>,
    living: AtomicBool,
}

impl Links {
    /// No links yet.
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Makes a link for a new session.
    pub(super) fn begin(
        self: &Arc<Self>,
        words: Words,
        house: (Arc<Limits>, Tasks),
        polled: Option<Box<Polled>>,
    ) -> Arc<Link> {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        self.living.fetch_add(1, Ordering::Relaxed);
        let (links, living) = (Arc::clone(self), AtomicBool::new(true));
        let registration = Registration { links, number, sid: OnceLock::new(), living };
        let link = Arc::new(Link::new(words, house, polled, registration));
        state.all.insert(number, Arc::downgrade(&link));
        link
    }

    /// The link of a session that began with polling.
    pub(super) fn find(&self, sid: Sid) -> Option<Arc<Link>> {
        let state = self.lock();
        state.polled.get(&sid).and_then(|number| state.all.get(number)).and_then(Weak::upgrade)
    }

    /// How many live.
    pub(super) fn count(&self) -> usize {
        self.living.load(Ordering::Relaxed)
    }

    /// All of them. Never dropped under the lock, because the last holder of a link gives up its
    /// place here.
    fn all(&self) -> Vec<Arc<Link>> {
        self.lock().all.values().filter_map(Weak::upgrade).collect()
    }

    /// Poisoning is ignored: both maps are whole after each single step, and an entry that one of
    /// them lacks is an entry that is not found.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registration {
    /// From now on the link is found by `sid`.
    pub(super) fn set_sid(&self, sid: Sid) {
        if self.sid.set(sid).is_ok() {
            self.links.lock().polled.insert(sid, self.number);
        }
    }

    /// The link has come to its end, whoever still holds it.
    pub(super) fn end(&self) {
        if self.living.swap(false, Ordering::Relaxed) {
            self.links.living.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The session id, once it is known.
    pub(super) fn sid(&self) -> Option<Sid> {
        self.sid.get().copied()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.end();
        let mut state = self.links.lock();
        state.all.remove(&self.number);
        if let Some(sid) = self.sid.get() {
            state.polled.remove(sid);
        }
    }
}

/// Tends the links until the server drains, and then until none is left.
///
/// On drain the chat closes its connections itself, at its own pace. What is left for us are
/// sessions that never came to a space, or have left all of them.
pub(super) async fn tend(links: Arc<Links>, tasks: Tasks) {
    let mut sweep = interval(SWEEP_INTERVAL);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = tasks.draining() => break,
            _ = sweep.tick() => {}
        }
        for link in links.all() {
            if link.polled().is_some_and(|it| it.is_deserted(link.limits())) {
                link.cut();
            }
        }
    }
    let mut look = interval(DRAIN_INTERVAL);
    loop {
        // Not whether there are links: the engine keeps some of them for a while.
        let left: Vec<_> = links.all().into_iter().filter(|it| it.fate() < Fate::Cut).collect();
        if left.is_empty() {
            return;
        }
        for link in left.iter().filter(|it| it.seats().is_empty()) {
            link.close(CloseReason::Draining);
        }
        tokio::select! {
            () = tasks.overdue() => return left.iter().for_each(Link::cut),
            _ = look.tick() => {}
        }
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").field("count", &self.count()).finish_non_exhaustive()
    }
}

// A session id is a password: it does not print.
impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("number", &self.number).finish_non_exhaustive()
    }
}
