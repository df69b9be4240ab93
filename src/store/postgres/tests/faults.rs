//! The server fails, stops or becomes read-only, and recovers.

use tokio::time::Instant;

use super::{database::TEST_WAIT_MAX, *};
use crate::{
    chat::ports::{Draft, Nodes as _, Outcome},
    domain::Entry,
    store::contract::{commit, draft, head, log, nth, numbered, page, room, seq},
};

/// The engine's timeout in tests with a failing server.
const SHORT_WAIT_MAX: Duration = Duration::from_millis(500);
/// The tolerance for a machine under load.
const SLACK: Duration = Duration::from_secs(3);

async fn open_with_short_timeout(database: &TestDatabase) -> (PostgresStore, PostgresNodes) {
    database.make_schema().await;
    let options = PostgresOptions { wait_max: SHORT_WAIT_MAX, ..database.options("impatient") };
    PostgresStore::open(&options).await.unwrap()
}

fn batch(drafts: Vec<Draft>) -> Batch {
    Batch { drafts, ..Batch::default() }
}

/// Retries until it succeeds. Every attempt reaches the database, so this needs no delay.
async fn wait_until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < TEST_WAIT_MAX, "{what}");
    }
}

/// Commits the drafts again, and checks that the log holds each once, without gaps.
async fn assert_recovers(store: &PostgresStore, drafts: &[Draft], known: usize) {
    let outcomes = commit(store, drafts.to_vec()).await;
    let is_there = |it: &Outcome| matches!(it, Outcome::Stored(_) | Outcome::Duplicate { .. });
    assert!(outcomes.iter().all(is_there), "{outcomes:?}");
    let log = log(store, &room("lobby")).await;
    assert_eq!(log.len(), known + drafts.len());
    assert!((1..).zip(&log).all(|(n, entry): (u64, &Entry)| entry.position == nth(n)));
    let ids = |entries: &[Entry]| entries.iter().map(|it| it.id.clone()).collect::<Vec<_>>();
    let expected: Vec<_> = drafts.iter().map(|draft| draft.id.clone()).collect();
    assert_eq!(ids(&log)[known..], expected);
    assert_eq!(head(store, &room("lobby")).await, seq(log.len() as u64));
}

/// Every operation fails within its timeout.
async fn assert_unavailable(store: &PostgresStore, nodes: &PostgresNodes, drafts: &[Draft]) {
    let began = Instant::now();
    store.commit(batch(drafts.to_vec()).into()).await.unwrap_err();
    assert!(began.elapsed() < SHORT_WAIT_MAX + SLACK, "a commit takes {:?}", began.elapsed());
    let began = Instant::now();
    let lobby = [room("lobby")];
    let reads = (0..5).map(|_| store.logs(&lobby));
    assert!(join_all(reads).await.iter().all(Result::is_err));
    nodes.heartbeat(&[]).await.unwrap_err();
    assert!(began.elapsed() < 3 * SHORT_WAIT_MAX + SLACK, "others take {:?}", began.elapsed());
}

#[tokio::test]
async fn store_recovers_when_postgres_is_killed_and_restarted() {
    let mut database = TestDatabase::start();
    let (store, nodes) = open_with_short_timeout(&database).await;
    commit(&store, vec![numbered("lobby", 1)]).await;
    database.kill();
    let drafts = [numbered("lobby", 2), numbered("lobby", 3)];
    assert_unavailable(&store, &nodes, &drafts).await;
    database.restart();
    nodes.heartbeat(&[]).await.unwrap();
    assert_recovers(&store, &drafts, 1).await;

    // A restart without requests in between is not noticed.
    database.kill();
    database.restart();
    nodes.heartbeat(&[]).await.unwrap();
    assert_eq!(head(&store, &room("lobby")).await, seq(3));
    assert_recovers(&store, &[numbered("lobby", 4)], 3).await;
}

#[tokio::test]
async fn store_recovers_when_postgres_ends_connections() {
    let database = TestDatabase::start();
    let (store, nodes) = database.open().await;
    let mut other_connection = database.connect().await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
    for n in 0..5 {
        assert_recovers(&store, &[numbered("lobby", n + 1)], usize::try_from(n).unwrap()).await;
        nodes.heartbeat(&[]).await.unwrap();
        wait_until("connections end", async || {
            sqlx::query(end).fetch_all(&mut other_connection).await.unwrap().is_empty()
        })
        .await;
    }
}

#[tokio::test]
async fn store_recovers_when_postgres_is_stopped_for_a_while() {
    let database = TestDatabase::start();
    let (store, nodes) = open_with_short_timeout(&database).await;
    let mut known = 0;
    for round in 0..3_u64 {
        commit(&store, vec![numbered("lobby", 10 * round)]).await;
        known += 1;
        let drafts = [10 * round + 1, 10 * round + 2].map(|n| numbered("lobby", n));
        database.signal("STOP");
        assert_unavailable(&store, &nodes, &drafts).await;
        database.signal("CONT");
        wait_until("heartbeats succeed again", async || nodes.heartbeat(&[]).await.is_ok()).await;
        assert_recovers(&store, &drafts, known).await;
        known += drafts.len();
    }
}

#[tokio::test]
async fn store_recovers_when_postgres_was_read_only() {
    let database = TestDatabase::start();
    let (store, nodes) = open_with_short_timeout(&database).await;
    commit(&store, vec![numbered("lobby", 1)]).await;
    let drafts = [numbered("lobby", 2)];
    database.run("ALTER SYSTEM SET default_transaction_read_only = on").await;
    database.run("SELECT pg_reload_conf()").await;
    // These may still be stored, so they are in another room than `drafts`.
    wait_until("writes are refused", async || {
        store.commit(batch(vec![draft("other", "1", "0")]).into()).await.is_err()
    })
    .await;
    wait_until("heartbeats are refused", async || nodes.heartbeat(&[]).await.is_err()).await;
    store.commit(batch(drafts.to_vec()).into()).await.unwrap_err();
    store.probe().await.unwrap_err();
    let refused = PostgresStore::open(&database.options("late")).await.unwrap_err();
    assert!(matches!(refused, PostgresError::ReadOnly), "{refused:?}");
    database.run("ALTER SYSTEM RESET default_transaction_read_only").await;
    database.run("SELECT pg_reload_conf()").await;
    wait_until("writes are accepted", async || nodes.heartbeat(&[]).await.is_ok()).await;
    wait_until("writes are accepted", async || {
        store.commit(batch(drafts.to_vec()).into()).await.is_ok()
    })
    .await;
    store.probe().await.unwrap();
    assert_recovers(&store, &drafts, 1).await;
}

#[tokio::test]
async fn a_locked_conversation_delays_postgres_commits_up_to_the_timeout() {
    let database = TestDatabase::start();
    let (store, _nodes) = open_with_short_timeout(&database).await;
    commit(&store, vec![numbered("lobby", 1)]).await;
    let mut other_connection = database.connect().await;
    for (n, known) in (0..3_u64).zip([1, 3, 5]) {
        run_on(&mut other_connection, "BEGIN; SELECT * FROM conversation FOR UPDATE").await;
        let drafts = [numbered("lobby", 2 * n + 2), numbered("lobby", 2 * n + 3)];
        let began = Instant::now();
        store.commit(batch(drafts.to_vec()).into()).await.unwrap_err();
        assert!(began.elapsed() < SHORT_WAIT_MAX + SLACK);
        assert_eq!(page(&store, &room("lobby"), PageRange::Newest, 9).await.len(), known);
        run_on(&mut other_connection, "ROLLBACK").await;
        assert_recovers(&store, &drafts, known).await;
    }
}

#[tokio::test]
async fn a_cancelled_postgres_commit_breaks_nothing() {
    let database = TestDatabase::start();
    let (store, _nodes) = database.open().await;
    for n in 0..40 {
        let one = batch(vec![draft("lobby", &n.to_string(), "0")]);
        let wait = Duration::from_micros(n * 250);
        drop(timeout(wait, store.commit(one.into())).await);
    }
    let head = head(&store, &room("lobby")).await;
    assert_eq!(commit(&store, vec![draft("lobby", "last", "0")]).await.len(), 1);
    let log = log(&store, &room("lobby")).await;
    assert!(log.last().is_some_and(|last| last.seq() > head), "head and log agree");
    assert!((1..).zip(&log).all(|(n, message)| message.seq() == seq(n)));
}
