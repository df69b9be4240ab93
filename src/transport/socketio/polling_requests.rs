//! The requests of a polling session that are in progress.
//!
//! A request that its client breaks off ends the session: official clients do not poll again after
//! it, and what a POST had may be lost.

use std::{mem, sync::Arc};

use tokio::time::Instant;

use super::{polling_state::PollingState, session::EngineSession};

/// Counts a POST of the session as in progress until it is dropped.
pub(super) struct RequestInProgress<'a>(&'a EngineSession);

impl<'a> RequestInProgress<'a> {
    pub(super) fn begin(session: &'a EngineSession) -> Self {
        session.with_polling(PollingState::begin_request);
        Self(session)
    }
}

impl Drop for RequestInProgress<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        self.0.with_polling(|it| it.end_request(now));
    }
}

/// The right to post. It exists once at a time. Dropping it before the POST has an answer ends the
/// session.
pub(super) struct PostGuard<'a> {
    session: &'a Arc<EngineSession>,
    is_answered: bool,
}

impl<'a> PostGuard<'a> {
    pub(super) fn acquire(session: &'a Arc<EngineSession>) -> Option<Self> {
        let is_free = session.with_polling(PollingState::begin_post).unwrap_or(false);
        is_free.then(|| Self { session, is_answered: false })
    }

    /// The POST has an answer.
    pub(super) fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for PostGuard<'_> {
    fn drop(&mut self) {
        self.session.with_polling(PollingState::end_post);
        if !self.is_answered && self.session.is_polling() {
            self.session.abort();
        }
    }
}

/// Counts a poll as in progress until it is dropped, and as waiting until its answer is made. Dropping
/// it while it waits ends the session.
pub(super) struct PollInProgress<'a> {
    session: &'a Arc<EngineSession>,
    is_waiting: bool,
}

impl<'a> PollInProgress<'a> {
    pub(super) fn begin(session: &'a Arc<EngineSession>) -> Self {
        session.begin_poll();
        Self { session, is_waiting: true }
    }

    pub(super) fn end_wait(&mut self) {
        if mem::replace(&mut self.is_waiting, false) {
            self.session.with_polling(PollingState::end_poll);
        }
    }
}

impl Drop for PollInProgress<'_> {
    fn drop(&mut self) {
        let is_broken_off = self.is_waiting;
        self.end_wait();
        let now = Instant::now();
        self.session.with_polling(|it| it.end_request(now));
        if is_broken_off && self.session.is_polling() {
            self.session.abort();
        }
    }
}
