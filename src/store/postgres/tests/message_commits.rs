//! Which batches are committed in one statement, and that it keeps the guarantees of a transaction.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{database::TEST_WAIT_MAX, *};
use crate::{
    chat::ports::{Change, Draft, MemberChange, Outcome},
    domain::{Position, Role},
    store::contract::{
        JOIN, apply_changes, at, change, commit, direct, edit, guest, head, inbox, log, log_state,
        member, memberships, nth, numbered, page, read, record_seen, room, seq, stored, time, user,
    },
};

/// Records for each statement that writes messages whether it is the call of the function.
const RECORD_WRITES: &str = "CREATE TABLE written (by_function boolean NOT NULL);
    CREATE FUNCTION record_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO written VALUES (current_query() LIKE '%commit_messages%');
        RETURN NULL;
    END $$;
    CREATE TRIGGER record_write AFTER INSERT ON message EXECUTE FUNCTION record_write()";

/// A test that waits for a lock must not depend on the speed of the machine.
const WAIT_FOR_LOCKS: &str = "ALTER FUNCTION commit_messages RESET lock_timeout";

const ONE_STATEMENT: [bool; 1] = [true];
const TRANSACTION: [bool; 1] = [false];

/// The writes since the last call.
async fn writes(database: &TestDatabase) -> Vec<bool> {
    let mut other_connection = database.connect().await;
    let query = sqlx::query_scalar("DELETE FROM written RETURNING by_function");
    query.fetch_all(&mut other_connection).await.unwrap()
}

/// A message of ann, who has to be a member.
fn by_ann(room: &str, n: u64) -> Draft {
    Draft { author: user("ann"), needs: Some(Role::Member), ..numbered(room, n) }
}

fn direct_message(n: u64) -> Draft {
    Draft { place: direct("/", "ann", "bob"), author: user("ann"), ..numbered("", n) }
}

/// An empty database in which ann is a member of the rooms, and writes are recorded.
async fn open_with_rooms(database: &TestDatabase, rooms: &[&str]) -> PostgresStore {
    let (store, _) = database.open().await;
    let joins = rooms.iter().map(|room| change(room, "ann", JOIN)).collect();
    apply_changes(&store, joins).await;
    database.run(RECORD_WRITES).await;
    store
}

#[tokio::test]
async fn new_messages_are_committed_in_one_statement() {
    let database = TestDatabase::start();
    let store = open_with_rooms(&database, &["b", "a"]).await;
    let drafts = [by_ann("a", 1), numbered("b", 2), by_ann("a", 3), by_ann("b", 4)];
    let outcomes = commit(&store, drafts.to_vec()).await;
    assert_eq!(outcomes, [1, 1, 2, 2].map(|n| Outcome::Stored(nth(n))));
    assert_eq!(commit(&store, vec![by_ann("b", 5)]).await, [Outcome::Stored(nth(3))]);
    assert_eq!(writes(&database).await, [true, true]);
    let [one, two, three, four] = drafts;
    assert_eq!(log(&store, &room("a")).await, [stored(one, 1), stored(three, 2)]);
    let expected = [stored(two, 1), stored(four, 2), stored(by_ann("b", 5), 3)];
    assert_eq!(log(&store, &room("b")).await, expected);
    assert_eq!(read(&store, &room("a"), "ann").await, nth(2));
    assert_eq!(
        log_state(&store, &room("b")).await,
        Log { head: nth(3), members: 1, ..Log::default() }
    );
}

#[tokio::test]
async fn positions_continue_after_changes_of_messages() {
    let database = TestDatabase::start();
    let store = open_with_rooms(&database, &["a"]).await;
    commit(&store, vec![numbered("a", 1), edit("a", 1, "2")]).await;
    let outcomes = commit(&store, vec![by_ann("a", 2), by_ann("a", 3)]).await;
    assert_eq!(outcomes, [at(3, 2), at(4, 3)].map(Outcome::Stored));
    assert_eq!(writes(&database).await, [false, true]);
    assert_eq!(read(&store, &room("a"), "ann").await, at(4, 3));
}

#[tokio::test]
async fn other_batches_are_committed_in_a_transaction() {
    let database = TestDatabase::start();
    let store = open_with_rooms(&database, &["a", "b"]).await;
    commit(&store, vec![by_ann("a", 1)]).await;
    assert_eq!(writes(&database).await, ONE_STATEMENT);
    let again = |n| Outcome::Duplicate { seq: seq(n), at: time(n) };
    let new = |n| Outcome::Stored(nth(n));
    let by_stranger = Draft { author: user("stranger"), ..by_ann("a", 5) };
    let by_reader = Draft { needs: Some(Role::Admin), ..by_ann("a", 7) };
    let cases = [
        ("a new room", vec![by_ann("a", 2), numbered("new", 1)], vec![new(2), new(1)]),
        (
            "a repeat in the batch",
            vec![by_ann("a", 3), by_ann("b", 1), by_ann("a", 3)],
            vec![new(3), new(1), again(3)],
        ),
        ("a stored message", vec![by_ann("a", 1), by_ann("a", 4)], vec![again(1), new(4)]),
        (
            "no membership",
            vec![by_ann("a", 5), by_stranger],
            vec![new(5), Outcome::NotPermitted(None)],
        ),
        (
            "a lower role",
            vec![by_ann("a", 6), by_reader],
            vec![new(6), Outcome::NotPermitted(Some(Role::Member))],
        ),
        (
            "a change of a message",
            vec![by_ann("a", 7), edit("a", 1, "0")],
            vec![new(7), Outcome::Stored(at(8, 7))],
        ),
        ("a first direct message", vec![direct_message(1)], vec![new(1)]),
    ];
    for (case, drafts, expected) in cases {
        assert_eq!(commit(&store, drafts).await, expected, "{case}");
        assert_eq!(writes(&database).await, TRANSACTION, "{case}");
    }
    let changes = vec![change("a", "bob", JOIN)];
    let batch = Batch { changes, drafts: vec![by_ann("a", 8)], ..Batch::default() };
    let committed = store.commit(batch.into()).await.unwrap();
    assert_eq!(committed.outcomes, [Outcome::Stored(at(9, 8))]);
    assert_eq!(writes(&database).await, TRANSACTION, "a change of a member");
    assert_eq!(commit(&store, vec![by_ann("a", 9)]).await, [Outcome::Stored(at(10, 9))]);
    assert_eq!(writes(&database).await, ONE_STATEMENT);
}

#[tokio::test]
async fn further_messages_to_users_are_committed_in_one_statement() {
    let database = TestDatabase::start();
    let store = open_with_rooms(&database, &[]).await;
    for name in ["ann", "bob"] {
        record_seen(&store, guest(&Space::root(), name)).await;
    }
    let names = ["ann", "bob"].map(|name| (Space::root(), user(name)));
    let notification = |n| Draft { place: inbox("ann"), author: user("ann"), ..numbered("", n) };
    let drafts = |n| vec![direct_message(n), notification(n)];
    assert_eq!(commit(&store, drafts(1)).await, [Outcome::Stored(nth(1)); 2]);
    assert_eq!(writes(&database).await, TRANSACTION);
    let before = store.revisions(&names).await.unwrap();
    assert_eq!(commit(&store, drafts(2)).await, [Outcome::Stored(nth(2)); 2]);
    assert_eq!(writes(&database).await, ONE_STATEMENT);
    let after = store.revisions(&names).await.unwrap();
    assert_eq!(after, before.iter().map(|it| it + 1).collect::<Vec<_>>());
    let place = direct("/", "ann", "bob");
    assert_eq!(read(&store, &place, "ann").await, nth(2));
    assert_eq!(read(&store, &place, "bob").await, Position::ZERO);
    assert_eq!(
        read(&store, &inbox("ann"), "ann").await,
        Position::ZERO,
        "a notification is unread"
    );
    assert_eq!(log_state(&store, &place).await.members, 2);
    // Who has left the conversation becomes a member again.
    let leave = Change { place: place.clone(), ..change("", "bob", MemberChange::Leave) };
    apply_changes(&store, vec![leave]).await;
    writes(&database).await;
    commit(&store, drafts(3)).await;
    assert_eq!(writes(&database).await, TRANSACTION);
    assert_eq!(member(&store, &place, "bob").await.unwrap().joined, seq(2));
    assert_eq!(memberships(&store, "bob").await.len(), 1);
}

/// Commits while another connection has the conversation locked and runs `change` meanwhile.
async fn commit_during(
    database: &TestDatabase,
    store: &PostgresStore,
    draft: Draft,
    change: &str,
) -> Vec<Outcome> {
    let mut other_connection = database.connect().await;
    run_on(&mut other_connection, "BEGIN; SELECT 1 FROM conversation FOR UPDATE").await;
    let change = async {
        database.wait_for_lock().await;
        run_on(&mut other_connection, &format!("{change}; COMMIT")).await;
    };
    let (outcomes, ()) = tokio::join!(commit(store, vec![draft]), change);
    outcomes
}

#[tokio::test]
async fn a_commit_in_one_statement_sees_what_was_committed_before_its_lock() {
    let database = TestDatabase::start();
    let store = open_with_rooms(&database, &["a"]).await;
    database.run(WAIT_FOR_LOCKS).await;
    let says = "UPDATE conversation SET head = head + 1, messages = messages + 1;
        INSERT INTO message (conversation, seq, messages, at, kind, author, id, body)
            SELECT id, head, messages, 1700000000001, 0, 'ann', '1', '1' FROM conversation";
    let outcomes = commit_during(&database, &store, by_ann("a", 2), says).await;
    assert_eq!(outcomes, [Outcome::Stored(nth(2))]);
    assert_eq!(writes(&database).await, [false, true]);
    let says = says.replace("'1', '1'", "'3', '3'");
    let outcomes = commit_during(&database, &store, by_ann("a", 3), &says).await;
    assert_eq!(outcomes, [Outcome::Duplicate { seq: seq(3), at: time(1) }]);
    let lowers = "UPDATE member SET role = 0";
    let outcomes = commit_during(&database, &store, by_ann("a", 4), lowers).await;
    assert_eq!(outcomes, [Outcome::NotPermitted(Some(Role::Reader))]);
    let outcomes = commit_during(&database, &store, by_ann("a", 5), "DELETE FROM member").await;
    assert_eq!(outcomes, [Outcome::NotPermitted(None)]);
    assert_eq!(head(&store, &room("a")).await, seq(3));
}

/// Waits until as many statements of a pattern wait for a lock.
async fn wait_for_locks(database: &TestDatabase, pattern: &str, count: i64) {
    let waits = "SELECT count(*) FROM pg_stat_activity \
        WHERE wait_event_type = 'Lock' AND query LIKE $1";
    let mut other_connection = database.connect().await;
    let began = tokio::time::Instant::now();
    loop {
        let query = sqlx::query_scalar::<_, i64>(waits).bind(pattern);
        if query.fetch_one(&mut other_connection).await.unwrap() == count {
            return;
        }
        assert!(began.elapsed() < TEST_WAIT_MAX, "not as many statements wait for a lock");
    }
}

#[tokio::test]
async fn a_transaction_waits_for_a_lock_in_place_of_the_function() {
    let database = TestDatabase::start();
    let store = open_with_rooms(&database, &["a"]).await;
    let mut other_connection = database.connect().await;
    run_on(&mut other_connection, "BEGIN; SELECT 1 FROM conversation FOR UPDATE").await;
    let unlock = async {
        wait_for_locks(&database, "%FROM conversation WHERE id = ANY%", 1).await;
        run_on(&mut other_connection, "ROLLBACK").await;
    };
    let (outcomes, ()) = tokio::join!(commit(&store, vec![by_ann("a", 1)]), unlock);
    assert_eq!(outcomes, [Outcome::Stored(nth(1))]);
    assert_eq!(writes(&database).await, TRANSACTION);
}

/// If each node had locked its first room before both wait for the same one, they would deadlock.
#[tokio::test]
async fn one_statement_locks_conversations_in_the_order_of_all_nodes() {
    let database = TestDatabase::start();
    let one = open_with_rooms(&database, &["a", "b", "c"]).await;
    let (other, _) = database.open_as_node("other").await;
    database.run(WAIT_FOR_LOCKS).await;
    let mut other_connection = database.connect().await;
    let lock = "BEGIN; SELECT 1 FROM conversation WHERE one = 'b' FOR UPDATE";
    run_on(&mut other_connection, lock).await;
    let unlock = async {
        wait_for_locks(&database, "%FROM commit_messages(%", 2).await;
        run_on(&mut other_connection, "ROLLBACK").await;
    };
    let forward = ["a", "b", "c"].map(|it| by_ann(it, 1));
    let backward = ["c", "b", "a"].map(|it| by_ann(it, 2));
    let (here, there, ()) =
        tokio::join!(commit(&one, forward.into()), commit(&other, backward.into()), unlock);
    let outcomes = [here, there].concat();
    assert!(outcomes.iter().all(|it| matches!(it, Outcome::Stored(_))), "{outcomes:?}");
    assert_eq!(writes(&database).await, [true, true]);
}

#[tokio::test]
async fn nodes_commit_in_one_statement_to_the_same_places() {
    const ROUNDS: u64 = 40;
    let database = TestDatabase::start();
    let names: Vec<_> = (0..12).map(|n| format!("r{n}")).collect();
    let rooms: Vec<_> = names.iter().map(String::as_str).collect();
    let one = open_with_rooms(&database, &rooms).await;
    commit(&one, vec![direct_message(0)]).await;
    writes(&database).await;
    database.run(WAIT_FOR_LOCKS).await;
    let (other, _) = database.open_as_node("other").await;
    let post = async |store: &PostgresStore, first_id: u64, forward: bool| {
        for n in 0..ROUNDS {
            let mut drafts: Vec<_> = rooms.iter().map(|it| by_ann(it, first_id + n)).collect();
            // With it in each batch, the lock of its users would put all batches in one order.
            if n % 4 == 0 {
                drafts.push(direct_message(first_id + n));
            }
            if !forward {
                drafts.reverse();
            }
            let outcomes = commit(store, drafts).await;
            assert!(outcomes.iter().all(|it| matches!(it, Outcome::Stored(_))), "{outcomes:?}");
        }
    };
    tokio::join!(post(&one, 1000, true), post(&other, 2000, false));
    let writes = writes(&database).await;
    assert_eq!(writes, vec![true; usize::try_from(2 * ROUNDS).unwrap()]);
    for place in rooms.iter().map(|it| room(it)) {
        let positions: Vec<_> = log(&one, &place).await.iter().map(|it| it.position).collect();
        assert_eq!(positions, (1..=2 * ROUNDS).map(nth).collect::<Vec<_>>());
    }
    assert_eq!(head(&other, &direct("/", "ann", "bob")).await, seq(ROUNDS / 2 + 1));
    let mut other_connection = database.connect().await;
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'";
    let deadlocks: i64 =
        sqlx::query_scalar(deadlocks).fetch_one(&mut other_connection).await.unwrap();
    assert_eq!(deadlocks, 0, "rows are locked in one order");
}

/// Ends the connection of a commit that waits for a standby, and then the need for one. Returns
/// whether there was such a commit before `is_over`.
async fn end_wait_for_standby(database: &TestDatabase, is_over: &AtomicBool) -> bool {
    // It waits for the end: without the need for a standby, the commit would still be answered.
    let end = "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity \
        WHERE wait_event = 'SyncRep' AND backend_type = 'client backend'";
    let mut other_connection = database.connect().await;
    while !is_over.load(Ordering::Relaxed) {
        if !sqlx::query(end).fetch_all(&mut other_connection).await.unwrap().is_empty() {
            run_on(&mut other_connection, "ALTER SYSTEM RESET synchronous_standby_names").await;
            run_on(&mut other_connection, "SELECT pg_reload_conf()").await;
            return true;
        }
    }
    false
}

/// A commit waits for a standby that does not exist. It has succeeded when its connection ends.
#[tokio::test]
async fn a_commit_without_an_answer_fails_and_is_kept_once() {
    let database = TestDatabase::start();
    drop(open_with_rooms(&database, &["a"]).await);
    // A wait for the standby must not end by the timeout, however slow the machine is.
    let options = PostgresOptions { wait_max: TEST_WAIT_MAX, ..database.options("first") };
    let (store, _) = PostgresStore::open(&options).await.unwrap();
    database.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'").await;
    database.run("SELECT pg_reload_conf()").await;
    // The server applies the setting some time later.
    let mut n = 0;
    let failed = loop {
        n += 1;
        let is_over = AtomicBool::new(false);
        let commit = async {
            let batch = Batch { drafts: vec![by_ann("a", n)], ..Batch::default() };
            let committed = store.commit(batch.into()).await;
            is_over.store(true, Ordering::Relaxed);
            committed
        };
        // Neither is cancelled: the server would end the next commit by a late statement.
        let (committed, has_ended) =
            tokio::join!(commit, end_wait_for_standby(&database, &is_over));
        if has_ended {
            break committed;
        }
        committed.unwrap();
    };
    failed.unwrap_err();
    let length = page(&store, &room("a"), PageRange::Newest, u32::MAX).await.len();
    assert_eq!(u64::try_from(length).unwrap(), n, "the messages are kept");
    let again = Outcome::Duplicate { seq: seq(n), at: time(n) };
    assert_eq!(commit(&store, vec![by_ann("a", n)]).await, [again]);
    assert_eq!(commit(&store, vec![by_ann("a", n + 1)]).await, [Outcome::Stored(nth(n + 1))]);
}

#[tokio::test]
async fn a_database_of_schema_10_is_migrated() {
    let database = TestDatabase::start();
    database.make_schema().await;
    let mut other_connection = database.connect().await;
    migrations_until(10).run(&mut other_connection).await.unwrap();
    let rows = "INSERT INTO conversation (space, kind, one, other, head, messages, members)
            VALUES ('/', 0, 'a', '', 3, 2, 1);
        INSERT INTO member (space, \"user\", conversation, role, joined, read, read_messages, muted)
            SELECT '/', 'ann', id, 1, 0, 0, 0, false FROM conversation";
    database.run(rows).await;
    database.run(RECORD_WRITES).await;
    let (store, _nodes) = database.open_as_node("first").await;
    assert_eq!(commit(&store, vec![by_ann("a", 1)]).await, [Outcome::Stored(at(4, 3))]);
    assert_eq!(writes(&database).await, ONE_STATEMENT);
}
