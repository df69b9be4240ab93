//! Decides what is sent next: in order for each subject, several subjects at a time.
//!
//! A subject is *busy* while a request with one of its events is under way. After a failure it *waits*,
//! and so do its later events. What is busy or waits is not read from the outbox, so that a subject
//! with many events does not hold up others.
//!
//! When several attempts in a row have failed, the receiver itself is taken to fail: then one request
//! at a time tries whether it accepts again, and subjects that failed before come last.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use super::{
    backoff::delay,
    request::{Key, Request, RequestBuilder},
};
use crate::chat::ports::OutboxEvent;

/// Failures in a row after which the receiver is taken to fail.
const FAILURES_MAX: u32 = 5;
/// The longest wait of a subject.
const SUBJECT_WAIT_MAX: Duration = Duration::from_mins(10);
/// Subjects that wait at most. Past it, nothing is sent until one of them may be sent again.
const WAITS_MAX: usize = 1000;
/// The longest wait of a receiver that fails.
const RECEIVER_WAIT_MAX: Duration = Duration::from_secs(30);
/// Events that are kept at most. Past it they are dropped, and read again.
const BUFFER_MAX: usize = 2048;

/// See the module. Times are durations since an origin that the caller chooses.
#[derive(Debug)]
pub(super) struct Planner {
    in_flight_max: usize,
    batch_max: usize,
    /// Events that were read and are not under way, with their subjects.
    buffer: BTreeMap<Key, (String, OutboxEvent)>,
    in_flight: usize,
    busy: HashSet<String>,
    /// The ends of waits.
    waits: HashMap<String, Duration>,
    failures: u32,
    /// When the receiver is tried again, while it fails.
    tried_again_at: Option<Duration>,
}

/// How an outcome changes the state of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReceiverChange {
    None,
    BeginsToFail,
    Recovered,
}

impl Planner {
    pub(super) fn new(in_flight_max: usize, batch_max: usize) -> Self {
        Self {
            in_flight_max,
            batch_max,
            buffer: BTreeMap::new(),
            in_flight: 0,
            busy: HashSet::new(),
            waits: HashMap::new(),
            failures: 0,
            tried_again_at: None,
        }
    }

    /// The subjects whose events are not to be read.
    pub(super) fn unread_subjects(&self) -> Vec<String> {
        self.busy.iter().chain(self.waits.keys()).cloned().collect()
    }

    /// Adds events that were read.
    pub(super) fn add(&mut self, events: Vec<OutboxEvent>) {
        if self.buffer.len() > BUFFER_MAX {
            self.buffer.clear();
        }
        let keyed = |it: OutboxEvent| ((it.batch.is_none(), it.id), (it.new.subject(), it));
        self.buffer.extend(events.into_iter().map(keyed));
    }

    /// Forgets what was read, and the failures of subjects: another node may have sent it meanwhile.
    pub(super) fn forget(&mut self) {
        self.buffer.clear();
        self.waits.clear();
    }

    /// Whether another request may begin at `now`, if there is an event for it.
    pub(super) fn has_free_slot(&self, now: Duration) -> bool {
        self.slots(now) > 0
    }

    fn slots(&self, now: Duration) -> usize {
        match self.tried_again_at {
            None if self.waits.len() >= WAITS_MAX => 0,
            None => self.in_flight_max.saturating_sub(self.in_flight),
            Some(at) if now >= at && self.in_flight == 0 => 1,
            Some(_) => 0,
        }
    }

    /// Ends waits that are over. Returns whether any did. A receiver that fails is not tried later than
    /// it should be because all subjects wait.
    pub(super) fn end_waits(&mut self, now: Duration) -> bool {
        let before = self.waits.len();
        let is_due = self.tried_again_at.is_some_and(|at| now >= at);
        if is_due && self.in_flight == 0 && self.buffer.is_empty() {
            self.waits.clear();
        }
        self.waits.retain(|_, until| now < *until);
        self.waits.len() < before
    }

    /// The next time at which something may be sent because a wait ends.
    pub(super) fn next_wait_end(&self) -> Option<Duration> {
        if let Some(at) = self.tried_again_at {
            let has_events = !self.buffer.is_empty() || !self.waits.is_empty();
            return Some(at).filter(|_| self.in_flight == 0 && has_events);
        }
        self.waits.values().min().copied()
    }

    /// Takes the requests that begin at `now`.
    pub(super) fn take_requests(&mut self, now: Duration) -> Vec<Request> {
        let mut requests = Vec::new();
        while self.slots(now) > 0
            && let Some(request) = self.take_request()
        {
            self.in_flight += 1;
            requests.push(request);
        }
        requests
    }

    /// Takes the next events that may be sent together. Their subjects are busy from now on.
    fn take_request(&mut self) -> Option<Request> {
        let mut builder = RequestBuilder::new(self.batch_max);
        for (key, (subject, event)) in &self.buffer {
            let is_free = !self.busy.contains(subject) && !self.waits.contains_key(subject);
            if is_free && builder.offer(*key, subject, event).is_break() {
                break;
            }
        }
        let (keys, kind) = builder.finish()?;
        let mut events = Vec::with_capacity(keys.len());
        for (subject, event) in keys.iter().filter_map(|key| self.buffer.remove(key)) {
            self.busy.insert(subject);
            events.push(event);
        }
        Some(Request { events, kind })
    }

    /// Records that a request was delivered.
    pub(super) fn succeeded(&mut self, request: &Request) -> ReceiverChange {
        self.release(request);
        self.failures = 0;
        if self.tried_again_at.take().is_none() {
            return ReceiverChange::None;
        }
        // What failed while the receiver did is sent again at once.
        self.waits.clear();
        ReceiverChange::Recovered
    }

    /// Records that a request failed at `now`. Its subjects wait.
    pub(super) fn failed(
        &mut self,
        request: &Request,
        now: Duration,
        jitter: f64,
    ) -> ReceiverChange {
        let attempts = request.events.iter().map(|it| it.attempts).max().unwrap_or_default() + 1;
        self.wait(request, now + delay(attempts, SUBJECT_WAIT_MAX, jitter));
        self.failures = self.failures.saturating_add(1);
        if self.failures < FAILURES_MAX {
            return ReceiverChange::None;
        }
        let since = self.failures - FAILURES_MAX + 1;
        let at = now + delay(since, RECEIVER_WAIT_MAX, jitter);
        let began = self.tried_again_at.replace(at).is_none();
        if began { ReceiverChange::BeginsToFail } else { ReceiverChange::None }
    }

    /// Takes back a request that was not sent: its subjects wait until then.
    pub(super) fn wait(&mut self, request: &Request, until: Duration) {
        let subjects: Vec<_> = request.events.iter().map(|it| it.new.subject()).collect();
        self.release(request);
        for subject in subjects {
            self.drop_buffered(&subject);
            self.waits.insert(subject, until);
        }
    }

    /// Ends the waits of a request's subjects.
    pub(super) fn end_wait(&mut self, request: &Request) {
        for event in &request.events {
            self.waits.remove(&event.new.subject());
        }
    }

    /// Drops the events of a subject that waits: they are read again after it.
    fn drop_buffered(&mut self, subject: &str) {
        self.buffer.retain(|_, (of, _)| of != subject);
    }

    fn release(&mut self, request: &Request) {
        self.in_flight = self.in_flight.saturating_sub(1);
        for event in &request.events {
            self.busy.remove(&event.new.subject());
        }
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::{
        chat::{
            ports::{NewOutboxEvent, WebhookEvent},
            webhooks::request::RequestKind,
        },
        domain::{Space, UserName, WebhookName},
    };

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn event(id: u64, user: &str) -> OutboxEvent {
        let new = NewOutboxEvent {
            webhook: WebhookName::from_raw("a"),
            space: Space::root(),
            event: WebhookEvent::UserOnline(UserName::from_raw(user)),
            at: OffsetDateTime::UNIX_EPOCH,
        };
        OutboxEvent { id, new, batch: None, attempts: 0, failure: None, dead_at: None }
    }

    fn in_batch(id: u64, user: &str, batch: &str) -> OutboxEvent {
        OutboxEvent { batch: Some(batch.into()), attempts: 1, ..event(id, user) }
    }

    fn planner(in_flight_max: usize, batch_max: usize, events: Vec<OutboxEvent>) -> Planner {
        let mut planner = Planner::new(in_flight_max, batch_max);
        planner.add(events);
        planner
    }

    fn ids(requests: &[Request]) -> Vec<Vec<u64>> {
        requests.iter().map(|it| it.events.iter().map(|event| event.id).collect()).collect()
    }

    #[test]
    fn subjects_are_sent_at_the_same_time_and_their_events_in_order() {
        let events = vec![event(1, "ann"), event(2, "ann"), event(3, "bob"), event(4, "cleo")];
        let mut planner = planner(2, 1, events);
        let first = planner.take_requests(at(0));
        assert_eq!(ids(&first), [[1], [3]]);
        assert!(planner.take_requests(at(0)).is_empty(), "as many as may be under way");
        planner.succeeded(&first[0]);
        assert_eq!(ids(&planner.take_requests(at(0))), [[2]]);
        planner.succeeded(&first[1]);
        assert_eq!(ids(&planner.take_requests(at(0))), [[4]]);
    }

    #[test]
    fn later_events_of_a_subject_wait_for_one_that_failed() {
        let mut planner = planner(2, 1, vec![event(1, "ann"), event(2, "ann"), event(3, "bob")]);
        let first = planner.take_requests(at(0));
        assert_eq!(planner.failed(&first[0], at(0), 1.0), ReceiverChange::None);
        assert!(planner.take_requests(at(0)).is_empty());
        assert_eq!(planner.unread_subjects().len(), 2, "ann waits, bob is busy");
        assert!(!planner.end_waits(Duration::from_millis(499)));
        assert!(planner.end_waits(Duration::from_millis(500)));
        let again = vec![OutboxEvent { attempts: 1, ..event(1, "ann") }, event(2, "ann")];
        planner.add(again);
        assert_eq!(ids(&planner.take_requests(at(1))), [[1]]);
    }

    #[test]
    fn a_batch_has_several_events_and_no_subject_of_another_request() {
        let events = vec![
            event(1, "ann"),
            event(2, "bob"),
            event(3, "ann"),
            event(4, "ann"),
            event(5, "cleo"),
        ];
        let mut planner = planner(2, 3, events);
        let requests = planner.take_requests(at(0));
        assert_eq!(ids(&requests), [vec![1, 2, 3], vec![5]]);
        assert_eq!(requests[0].kind, RequestKind::NewBatch);
        planner.succeeded(&requests[0]);
        assert_eq!(ids(&planner.take_requests(at(0))), [[4]]);
    }

    #[test]
    fn a_batch_that_was_begun_is_repeated_with_the_same_events() {
        let events = vec![
            in_batch(4, "ann", "x"),
            in_batch(5, "bob", "y"),
            in_batch(6, "cleo", "x"),
            event(7, "dan"),
            event(8, "ann"),
            OutboxEvent { attempts: 2, ..event(9, "eve") },
            event(10, "eve"),
        ];
        let mut planner = planner(9, 100, events);
        let requests = planner.take_requests(at(0));
        assert_eq!(ids(&requests), [vec![4, 6], vec![5], vec![7], vec![9]]);
        assert_eq!(requests[0].kind, RequestKind::Batch("x".into()));
        assert_eq!(requests[3].kind, RequestKind::Single, "it was sent alone before");
    }

    #[test]
    fn a_receiver_that_fails_is_tried_with_one_request_at_a_time() {
        let users: Vec<_> = (0..7).map(|n| format!("user {n}")).collect();
        let events = || (1..).zip(&users).map(|(id, user)| event(id, user)).collect::<Vec<_>>();
        let mut planner = planner(5, 1, events());
        let first = planner.take_requests(at(0));
        let changes: Vec<_> = first.iter().map(|it| planner.failed(it, at(0), 1.0)).collect();
        assert_eq!(changes[3..], [ReceiverChange::None, ReceiverChange::BeginsToFail]);
        assert!(planner.take_requests(Duration::from_millis(499)).is_empty());
        let tried = planner.take_requests(Duration::from_millis(500));
        assert_eq!(ids(&tried), [[6]], "another subject, so that one event does not stop all");
        assert_eq!(planner.failed(&tried[0], at(1), 1.0), ReceiverChange::None);
        assert_eq!(planner.next_wait_end(), Some(at(2)));
        let tried = planner.take_requests(at(2));
        assert_eq!(planner.succeeded(&tried[0]), ReceiverChange::Recovered);
        assert!(planner.unread_subjects().is_empty(), "all that failed is sent at once");
        planner.add(events());
        assert_eq!(planner.take_requests(at(2)).len(), 5);
    }

    #[test]
    fn a_receiver_that_fails_is_tried_though_all_subjects_wait() {
        let mut planner = planner(5, 1, vec![event(1, "ann")]);
        for attempts in 0..30 {
            planner.end_waits(at(10_000 * u64::from(attempts)));
            planner.add(vec![OutboxEvent { attempts, ..event(1, "ann") }]);
            let requests = planner.take_requests(at(10_000 * u64::from(attempts)));
            planner.failed(&requests[0], at(10_000 * u64::from(attempts)), 1.0);
        }
        assert_eq!(planner.next_wait_end(), Some(at(290_030)));
        assert!(!planner.end_waits(at(290_029)) && planner.end_waits(at(290_030)));
        assert!(planner.has_free_slot(at(290_030)));
    }
}
