//! The table of sessions: an entry for as long as the session exists, found by session id.
//!
//! The table is generic over the session type, because a session holds its own registration. No
//! session is dropped while the table is locked: the drop removes its entry, which takes the lock.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use socketioxide::socket::Sid;

/// See the module.
pub(super) struct RegistrationTable<S> {
    state: Mutex<TableState<S>>,
}

struct TableState<S> {
    next: u64,
    entries: HashMap<u64, Entry<S>>,
    by_sid: HashMap<Sid, u64>,
    /// The number of entries that are active.
    active: usize,
}

struct Entry<S> {
    session: Weak<S>,
    /// Known for sessions that begin with polling.
    sid: Option<Sid>,
    /// Whether the session has not ended. The engine keeps some sessions for a while after the end.
    is_active: bool,
}

/// The entry of a session. Dropping it removes the entry.
pub(super) struct SessionRegistration<S> {
    table: Arc<RegistrationTable<S>>,
    number: u64,
}

impl<S> RegistrationTable<S> {
    /// An empty table.
    pub(super) fn new() -> Arc<Self> {
        let (entries, by_sid) = (HashMap::new(), HashMap::new());
        Arc::new(Self { state: Mutex::new(TableState { next: 0, entries, by_sid, active: 0 }) })
    }

    /// Creates a session and its entry.
    pub(super) fn register(
        self: &Arc<Self>,
        create: impl FnOnce(SessionRegistration<S>) -> S,
    ) -> Arc<S> {
        let number = self.next_number();
        let registration = SessionRegistration { table: Arc::clone(self), number };
        let session = Arc::new(create(registration));
        let entry = Entry { session: Arc::downgrade(&session), sid: None, is_active: true };
        let mut state = self.state.lock();
        state.entries.insert(number, entry);
        state.active += 1;
        drop(state);
        session
    }

    /// The session with this session id.
    pub(super) fn find(&self, sid: Sid) -> Option<Arc<S>> {
        let state = self.state.lock();
        let entry = state.by_sid.get(&sid).and_then(|number| state.entries.get(number));
        entry.and_then(|it| it.session.upgrade())
    }

    /// All sessions, also those that have ended.
    pub(super) fn all(&self) -> Vec<Arc<S>> {
        self.state.lock().entries.values().filter_map(|it| it.session.upgrade()).collect()
    }

    /// The number of sessions that have not ended.
    pub(super) fn active(&self) -> usize {
        self.state.lock().active
    }

    fn next_number(&self) -> u64 {
        let mut state = self.state.lock();
        state.next += 1;
        state.next
    }
}

impl<S> TableState<S> {
    fn end(&mut self, number: u64) {
        if let Some(entry) = self.entries.get_mut(&number)
            && entry.is_active
        {
            entry.is_active = false;
            self.active -= 1;
        }
    }
}

impl<S> SessionRegistration<S> {
    /// Makes the session available under `sid`. A second id is ignored.
    pub(super) fn set_sid(&self, sid: Sid) {
        let mut state = self.table.state.lock();
        if let Some(entry) = state.entries.get_mut(&self.number)
            && entry.sid.is_none()
        {
            entry.sid = Some(sid);
            state.by_sid.insert(sid, self.number);
        }
    }

    /// The session id, once it is known.
    pub(super) fn sid(&self) -> Option<Sid> {
        self.table.state.lock().entries.get(&self.number)?.sid
    }

    /// Marks the session as ended. It no longer counts, although references to it may remain.
    pub(super) fn end(&self) {
        self.table.state.lock().end(self.number);
    }
}

impl<S> Drop for SessionRegistration<S> {
    fn drop(&mut self) {
        let mut state = self.table.state.lock();
        state.end(self.number);
        if let Some(sid) = state.entries.remove(&self.number).and_then(|it| it.sid) {
            state.by_sid.remove(&sid);
        }
    }
}

// A session id is a password, so it is not printed.
impl<S> fmt::Debug for SessionRegistration<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRegistration").field("number", &self.number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Registration = SessionRegistration<Session>;

    struct Session(Registration);

    fn sid() -> Sid {
        "AAAAAAAAAAAAAAHs".parse().unwrap()
    }

    #[test]
    fn a_session_is_found_by_its_sid_until_it_is_dropped() {
        let table = RegistrationTable::new();
        let session = table.register(Session);
        assert!(table.find(sid()).is_none());
        session.0.set_sid(sid());
        assert_eq!(session.0.sid(), Some(sid()));
        assert!(Arc::ptr_eq(&table.find(sid()).unwrap(), &session));
        drop(session);
        assert!(table.find(sid()).is_none());
        assert!(table.all().is_empty());
    }

    #[test]
    fn a_session_that_has_ended_is_listed_and_does_not_count() {
        let table = RegistrationTable::new();
        let (one, two) = (table.register(Session), table.register(Session));
        assert_eq!(table.active(), 2);
        one.0.end();
        one.0.end();
        assert_eq!((table.active(), table.all().len()), (1, 2));
        drop(one);
        assert_eq!((table.active(), table.all().len()), (1, 1));
        drop(two);
        assert_eq!(table.active(), 0);
    }
}
