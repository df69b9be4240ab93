//! The table of asks, and asks of the connections of one node.

use std::collections::HashSet;

use time::OffsetDateTime;

use super::*;
use crate::{
    chat::{
        hub::{ConnectionRegistration, Hub},
        ports::{Outbox, SettledAsk},
        test_support::{RecordingOutbox, publisher},
    },
    domain::{Body, CustomTarget, EventName, Space, UserName},
};

const WAIT: Duration = Duration::from_secs(5);

fn node(name: &str) -> NodeId {
    NodeId::from_raw(name)
}

fn connection(number: u64) -> ConnectionId {
    ConnectionId::from_raw(number)
}

fn connections(numbers: impl IntoIterator<Item = u64>) -> HashSet<ConnectionId> {
    numbers.into_iter().map(connection).collect()
}

fn answer(node_name: &str, number: u64, args: &str) -> AskAnswer {
    AskAnswer {
        connection: ConnectionAddress { node: node(node_name), connection: connection(number) },
        user: UserName::parse("ann").ok(),
        args: Body::from_raw(args.into(), Vec::new()),
    }
}

fn address(node_name: &str, number: u64) -> ConnectionAddress {
    answer(node_name, number, "[]").connection
}

fn answer_now(table: &mut AskTable, id: AskId, answer: AskAnswer) -> Option<AskForward> {
    table.answer(id, answer, Duration::ZERO)
}

fn close_now(table: &mut AskTable, connection: &ConnectionAddress) -> Vec<AskForward> {
    table.close(connection, Duration::ZERO)
}

/// What another node replies about one connection.
fn answered(answer: AskAnswer) -> AskReply {
    AskReply::Settled(vec![SettledAsk::Answered(answer)])
}

/// Whether the wait of an ask has ended.
fn is_over(done: &Notify) -> bool {
    use futures_util::FutureExt as _;
    done.notified().now_or_never().is_some()
}

#[test]
fn an_ask_is_over_when_all_have_answered_or_closed() {
    let mut table = AskTable::new(10);
    let (id, done) = table.begin(connections(1..=3), Vec::new()).unwrap();
    assert!(table.awaits(id, connection(1)) && !table.awaits(id, connection(4)));
    assert_eq!(answer_now(&mut table, id, answer("here", 1, "[1]")), None);
    assert_eq!(answer_now(&mut table, id, answer("here", 2, "[2]")), None);
    assert!(!is_over(&done));
    assert_eq!(close_now(&mut table, &address("here", 3)), []);
    assert!(is_over(&done));
    let answers = vec![answer("here", 1, "[1]"), answer("here", 2, "[2]")];
    assert_eq!(table.end(id), Some(AskOutcome { answers, missing: 1, complete: true }));
}

#[test]
fn an_ask_of_nobody_is_over_at_once() {
    let mut table = AskTable::new(10);
    let (id, done) = table.begin(connections([]), Vec::new()).unwrap();
    assert!(is_over(&done));
    let outcome = AskOutcome { answers: Vec::new(), missing: 0, complete: true };
    assert_eq!(table.end(id), Some(outcome));
}

#[test]
fn repeated_late_and_invented_answers_are_ignored() {
    let mut table = AskTable::new(10);
    let (id, _done) = table.begin(connections(1..=2), Vec::new()).unwrap();
    answer_now(&mut table, id, answer("here", 1, "[1]"));
    answer_now(&mut table, id, answer("here", 1, "[2]"));
    answer_now(&mut table, id, answer("here", 3, "[3]"));
    answer_now(&mut table, AskId::from_raw(99), answer("here", 2, "[4]"));
    let answers = vec![answer("here", 1, "[1]")];
    assert_eq!(table.end(id), Some(AskOutcome { answers, missing: 1, complete: true }));
    answer_now(&mut table, id, answer("here", 2, "[5]"));
    assert_eq!(table.end(id), None);
}

#[test]
fn other_nodes_reply_in_any_order_and_perhaps_twice() {
    let mut table = AskTable::new(10);
    let (id, done) = table.begin(connections([1]), vec![node("a"), node("b")]).unwrap();
    answer_now(&mut table, id, answer("here", 1, "[1]"));
    table.record(&node("b"), id, AskReply::Asked(0));
    for _ in 0..2 {
        table.record(&node("a"), id, answered(answer("a", 1, "[2]")));
        table.record(&node("a"), id, AskReply::Settled(vec![SettledAsk::Gone(address("a", 2))]));
    }
    assert!(!is_over(&done), "the number is not known");
    table.record(&node("a"), id, AskReply::Asked(2));
    assert!(is_over(&done));
    let answers = vec![answer("here", 1, "[1]"), answer("a", 1, "[2]")];
    assert_eq!(table.end(id), Some(AskOutcome { answers, missing: 1, complete: true }));
}

#[test]
fn a_silent_node_makes_an_ask_incomplete_and_a_lost_one_ends_it() {
    let mut table = AskTable::new(10);
    let (id, done) = table.begin(connections([]), vec![node("a"), node("b")]).unwrap();
    table.record(&node("a"), id, AskReply::Asked(1));
    assert!(!is_over(&done));
    table.forget_node(&node("a"));
    assert!(!is_over(&done));
    table.forget_node(&node("b"));
    assert!(is_over(&done));
    let outcome = AskOutcome { answers: Vec::new(), missing: 1, complete: false };
    assert_eq!(table.end(id), Some(outcome));
}

#[test]
fn what_connections_do_is_collected_for_the_node_that_asks() {
    let mut table = AskTable::new(10_000);
    let (theirs, until) = (AskId::from_raw(7), WAIT);
    let remote = || RemoteAsk { node: node("a"), ask: theirs, until };
    let forward =
        |settled| AskForward { to: node("a"), ask: theirs, reply: AskReply::Settled(settled) };
    let answered = |number| SettledAsk::Answered(answer("here", number, "[1]"));
    let answers = |table: &mut AskTable, id, numbers: std::ops::RangeInclusive<u64>| {
        let all = numbers.filter_map(|it| answer_now(table, id, answer("here", it, "[1]")));
        all.collect::<Vec<_>>()
    };
    let id = table.begin_remote(connections(1..=3), remote()).unwrap();
    assert_eq!(answers(&mut table, id, 1..=2), []);
    let due = table.next().unwrap();
    assert!(due < until, "it is not delayed for long");
    assert_eq!(table.take_replies(due), [forward(vec![answered(1), answered(2)])]);
    assert_eq!((table.take_replies(due), table.next()), (vec![], Some(until)));
    let last = forward(vec![SettledAsk::Gone(address("here", 3))]);
    assert_eq!(close_now(&mut table, &address("here", 3)), [last], "the last one at once");
    assert_eq!(table.next(), None, "it is removed with its last connection");

    let id = table.begin_remote(connections(1..=1200), remote()).unwrap();
    let replies = answers(&mut table, id, 1..=1200);
    let sizes = replies.iter().map(|it| match &it.reply {
        AskReply::Settled(settled) => settled.len(),
        AskReply::Asked(_) => 0,
    });
    assert_eq!(sizes.collect::<Vec<_>>(), [512, 512, 176]);
    let id = table.begin_remote(connections(1..=9), remote()).unwrap();
    let large = answer("here", 1, &format!("[\"{}\"]", "x".repeat(300 << 10)));
    assert!(answer_now(&mut table, id, large).is_some(), "a large one does not wait");
    assert_eq!(answers(&mut table, id, 2..=2), []);
    table.end(id);
    assert_eq!(table.next(), None);

    let id = table.begin_remote(connections([3]), remote()).unwrap();
    assert_eq!(table.next(), Some(until));
    table.expire(until);
    assert!(!table.awaits(id, connection(3)));
    let id = table.begin_remote(connections([3]), remote()).unwrap();
    table.forget_node(&node("a"));
    assert!(!table.awaits(id, connection(3)) && table.next().is_none());
}

#[test]
fn no_more_answers_are_awaited_than_the_limit_says() {
    let mut table = AskTable::new(3);
    let (first, _done) = table.begin(connections(1..=2), Vec::new()).unwrap();
    assert_eq!(table.begin(connections(1..=2), Vec::new()).unwrap_err(), Full);
    let (second, _done) = table.begin(connections([1]), Vec::new()).unwrap();
    assert_eq!(table.begin(connections([1]), Vec::new()).unwrap_err(), Full);
    answer_now(&mut table, first, answer("here", 1, "[]"));
    close_now(&mut table, &address("here", 1));
    table.end(first);
    assert!(table.begin(connections(1..=3), Vec::new()).is_ok());
    assert_eq!(table.end(second).unwrap().missing, 1);
}

#[test]
fn there_are_at_most_1024_asks() {
    let mut table = AskTable::new(10);
    let asks: Vec<_> = (0..1024).map(|_| table.begin(connections([]), vec![node("a")])).collect();
    assert!(asks.iter().all(Result::is_ok));
    assert_eq!(table.begin(connections([]), Vec::new()).unwrap_err(), Full);
    table.end(asks[0].as_ref().unwrap().0);
    assert!(table.begin(connections([]), Vec::new()).is_ok());
}

#[test]
fn answers_beyond_64_mib_count_as_missing_until_the_ask_ends() {
    let mut table = AskTable::new(100);
    let large = format!("[\"{}\"]", "x".repeat(20 << 20));
    let (id, done) = table.begin(connections(1..=4), Vec::new()).unwrap();
    for number in 1..=4 {
        answer_now(&mut table, id, answer("here", number, &large));
    }
    assert!(is_over(&done));
    let outcome = table.end(id).unwrap();
    assert_eq!((outcome.answers.len(), outcome.missing), (3, 1));
    let (id, _done) = table.begin(connections([1]), Vec::new()).unwrap();
    answer_now(&mut table, id, answer("here", 1, &large));
    assert_eq!(table.end(id).unwrap().missing, 0);
}

/// A hub without peers, and its connections.
struct Fixture {
    hub: Arc<Hub>,
    guards: Vec<(ConnectionRegistration, AskedConnection)>,
    outbox: Arc<RecordingOutbox>,
}

impl Fixture {
    /// With so many connections to `/`, whose common outbox has room for so many events.
    fn new(count: usize, capacity: usize) -> Self {
        let hub = Hub::new(Limits::default(), publisher());
        let outbox = RecordingOutbox::with_capacity(capacity);
        let shared = || Arc::clone(&outbox) as Arc<dyn Outbox>;
        let guards = (0..count).map(|_| {
            let registration =
                hub.connections.register(Space::root(), shared(), OffsetDateTime::UNIX_EPOCH);
            let asked_connection = AskedConnection::new(&hub.asks, registration.id());
            (registration, asked_connection)
        });
        let guards = guards.collect();
        Self { hub, guards, outbox }
    }

    fn ask(&self, to: CustomTarget) -> PendingAsk {
        let (name, args) = (EventName::from_raw("whoami"), Body::from_raw("[]".into(), vec![]));
        let event = CustomEvent { name, args };
        let asked = AskedEvent { space: Space::root(), to, except: None, event, wait: WAIT };
        self.hub.asks.begin(&Arc::new(asked), Vec::new()).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_closes_is_missing_at_once_and_a_silent_one_at_the_end() {
    let mut fixture = Fixture::new(2, 10);
    let pending = fixture.ask(CustomTarget::Space(Space::root()));
    assert_eq!(fixture.outbox.events(), ["ask 1 whoami"; 2]);
    fixture.guards.clear();
    let begun_at = fixture.hub.now();
    let outcome = pending.outcome(WAIT).await;
    assert_eq!((outcome.missing, fixture.hub.now()), (2, begun_at));

    let fixture = Fixture::new(1, 10);
    let outcome = fixture.ask(CustomTarget::Space(Space::root())).outcome(WAIT).await;
    assert_eq!((outcome.missing, outcome.complete), (1, true));
    assert!(fixture.hub.now() >= WAIT);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_wait_ends_the_ask() {
    let fixture = Fixture::new(1, 10);
    let pending = fixture.ask(CustomTarget::Space(Space::root()));
    let (id, connection) = (pending.id, fixture.guards[0].0.id());
    assert!(fixture.hub.asks.awaits(id, connection));
    drop(pending);
    assert!(!fixture.hub.asks.awaits(id, connection));
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_the_wait() {
    let fixture = Fixture::new(1, 10);
    let pending = fixture.ask(CustomTarget::Space(Space::root()));
    fixture.hub.asks.end_waits();
    let begun_at = fixture.hub.now();
    assert_eq!(pending.outcome(WAIT).await.missing, 1);
    assert_eq!(fixture.hub.now(), begun_at);
}

#[tokio::test(start_paused = true)]
async fn connections_of_other_spaces_and_slow_readers_do_not_answer() {
    let fixture = Fixture::new(1, 0);
    let here = fixture.hub.publisher.node().clone();
    let one = ConnectionAddress { node: here, connection: fixture.guards[0].0.id() };
    let pending = fixture.ask(CustomTarget::Connection(Space::root(), one.clone()));
    assert_eq!(fixture.outbox.events(), ["closed SlowReader"]);
    drop(pending);
    let (name, args) = (EventName::from_raw("whoami"), Body::from_raw("[]".into(), vec![]));
    let space = Space::parse("/shop").unwrap();
    let to = CustomTarget::Connection(space.clone(), one);
    let event = CustomEvent { name, args };
    let asked = AskedEvent { space, to, except: None, event, wait: WAIT };
    let pending = fixture.hub.asks.begin(&Arc::new(asked), Vec::new()).unwrap();
    assert_eq!(pending.outcome(WAIT).await.missing, 0);
}
