//! Checks, and their messages for the operator.

use std::error::Error;

use sqlx::postgres::PgConnection;

use super::*;
use crate::{
    chat::ports::{
        Change, Draft, GuestName, IdentityKind, MemberChange, Nodes as _, OnlineDevices, Outcome,
        PageLimit, UserDeparted, UserSeen,
    },
    domain::{DeviceSet, Role},
    store::contract::{
        EARLIER_ROWS, JOIN, apply_changes, change, commit, delete, direct, draft,
        earlier_rows_are_migrated, edit, guest, inbox, numbered, room, seq, time, trim, user,
    },
};

/// The error of an address, with all causes.
async fn open_error(database: &TestDatabase, url: &str) -> (PostgresError, String) {
    let url = Secret::from_raw(url.as_bytes());
    let options = PostgresOptions { url, ..database.options("checked") };
    let checked = PostgresStore::check(&options).await.unwrap_err();
    let opened = PostgresStore::open(&options).await.unwrap_err();
    assert_eq!(checked.to_string(), opened.to_string());
    let mut text = format!("{checked:?} {options:?} {checked}");
    let mut cause: Option<&dyn Error> = Some(&checked);
    while let Some(error) = cause {
        text += &error.to_string();
        cause = error.source();
    }
    (checked, text)
}

#[tokio::test]
async fn postgres_errors_give_the_cause_without_passwords() {
    let database = TestDatabase::start();
    database.run("CREATE ROLE stranger LOGIN PASSWORD 'right'; CREATE ROLE poor LOGIN").await;
    let mut texts = Vec::new();
    let mut check = async |url: &str| {
        let (error, text) = open_error(&database, url).await;
        texts.push(text);
        error
    };
    let address = |user: &str, name: &str| database.address(user, name);
    let error = check("not an address, but a hushhush").await;
    assert!(matches!(error, PostgresError::Address(_)), "{error:?}");
    let error = check("postgres://a:hushhush@%2Fno%2Fwhere/x").await;
    assert!(matches!(error, PostgresError::Unreachable(_)), "{error:?}");
    let error = check(&address("stranger:hushhush", "postgres")).await;
    assert!(matches!(error, PostgresError::Login(_)), "{error:?}");
    let error = check(&address("unknown:hushhush", "postgres")).await;
    assert!(matches!(error, PostgresError::Login(_)), "{error:?}");
    let error = check(&address("postgres:hushhush", "missing")).await;
    assert!(matches!(error, PostgresError::NoDatabase(_)), "{error:?}");
    let error = check(&address("poor:hushhush", "postgres")).await;
    assert!(matches!(error, PostgresError::MayNotCreate { .. }), "{error:?}");
    let nowhere = "postgres?options=-csearch_path%3Dnowhere";
    let error = check(&address("postgres:hushhush", nowhere)).await;
    assert!(matches!(error, PostgresError::MayNotCreate { schema: None }), "{error:?}");
    database.run("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0").await;
    let error = check(&address("postgres:hushhush", "latin")).await;
    assert!(matches!(error, PostgresError::Encoding(_)), "{error:?}");
    let standby = "postgres?options=-cdefault_transaction_read_only%3Don";
    let error = check(&address("postgres:hushhush", standby)).await;
    assert!(matches!(error, PostgresError::ReadOnly), "{error:?}");
    for text in texts {
        assert!(!text.contains("hushhush"), "{text}");
    }
}

#[tokio::test]
async fn postgres_check_warns_of_unsafe_settings() {
    let database = TestDatabase::start();
    database.make_schema().await;
    let options = database.options("checked");
    let warnings = PostgresStore::check(&options).await.unwrap();
    assert_eq!(warnings, [PostgresWarning::NoFsync], "the test's server runs without fsync");
    database.run("ALTER ROLE postgres SET synchronous_commit = off").await;
    let many = PostgresOptions { readers_max: 58, ..options.clone() };
    let warnings = PostgresStore::check(&many).await.unwrap();
    let few = PostgresWarning::FewConnections { node: 61, server: 60 };
    assert_eq!(warnings, [PostgresWarning::AsynchronousCommit, PostgresWarning::NoFsync, few]);
    let mut other_connection = database.connect().await;
    let query = "SELECT count(*) FROM pg_class WHERE relname = 'conversation'";
    let tables: i64 = sqlx::query_scalar(query).fetch_one(&mut other_connection).await.unwrap();
    assert_eq!(tables, 0, "a check changes nothing");
}

#[tokio::test]
async fn postgres_does_not_open_a_database_of_a_later_version() {
    let database = TestDatabase::start();
    drop(database.open().await);
    let later = "INSERT INTO _sqlx_migrations \
        (version, description, success, checksum, execution_time) \
        VALUES (9999, 'from the future', true, '', 0)";
    database.run(later).await;
    let refused = PostgresStore::open(&database.options("old")).await.unwrap_err();
    assert!(matches!(refused, PostgresError::Migration(_)), "{refused:?}");
}

#[tokio::test]
async fn keys_of_an_earlier_rule_are_made_anew() {
    let database = TestDatabase::start();
    let (store, nodes) = database.open().await;
    let seen =
        UserSeen { identity_kind: IdentityKind::Registered, ..guest(&Space::root(), "Miriam") };
    crate::store::contract::record_seen(&store, seen).await;
    drop((store, nodes));
    let old_rule = r#"UPDATE "user" SET key = lower(name); UPDATE meta SET key_rule = 1;
        INSERT INTO guest_name (space, key, node, stay, name) VALUES ('/', 'mia', 'n', '1', 'Mia')"#;
    database.run(old_rule).await;
    let (store, _nodes) = database.open_as_node("first").await;
    for name in ["miriam", "Мiriam"] {
        assert!(store.is_registered(&Space::root(), &user(name).key()).await.unwrap(), "{name}");
    }
    let mut other_connection = database.connect().await;
    let query = sqlx::query_scalar("SELECT key FROM guest_name");
    let key: String = query.fetch_one(&mut other_connection).await.unwrap();
    assert_eq!(key, user("mia").key().as_raw());
}

#[tokio::test]
async fn deleted_messages_of_schema_3_are_counted() {
    let database = TestDatabase::start();
    database.make_schema().await;
    let mut other_connection = database.connect().await;
    migrations_until(3).run(&mut other_connection).await.unwrap();
    database.run(EARLIER_ROWS).await;
    let (store, _nodes) = database.open_as_node("first").await;
    earlier_rows_are_migrated(&store).await;
}

fn is_stored(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Stored(_))
}

/// Runs every operation, some of them several times.
async fn do_everything(store: &PostgresStore, nodes: &PostgresNodes) {
    let root = Space::root();
    let device = Some(DeviceId::from_raw("phone"));
    for n in 1..=8_u64 {
        let identity_kind = IdentityKind::Guest(n.to_string().into());
        let seen =
            UserSeen { device: device.clone(), identity_kind, at: time(n), ..guest(&root, "ann") };
        let departed = UserDeparted {
            space: root.clone(),
            user: user("bob"),
            device: device.clone(),
            at: time(n),
        };
        let rooms_max = Some(9);
        let changes = vec![
            Change { rooms_max, ..change("a", "ann", JOIN) },
            change("a", "bob", JOIN),
            change("a", "ann", MemberChange::Read(seq(2))),
            change("b", "bob", MemberChange::Leave),
        ];
        let drafts = vec![
            Draft { author: user("bob"), needs: Some(Role::Member), ..numbered("a", n) },
            Draft { place: direct("/", "ann", "bob"), author: user("ann"), ..numbered("", n) },
            Draft { place: inbox("ann"), ..numbered("", n) },
            edit("a", 1, "0"),
            delete("a", n),
        ];
        let (seen, departed, membership_queries) =
            (vec![seen], vec![departed], vec![(root.clone(), user("ann"))]);
        let batch =
            Batch { seen, departed, changes, drafts, membership_queries, ..Batch::default() };
        store.commit(batch.into()).await.unwrap();
        let ann = user("ann");
        let place = direct("/", "ann", "bob");
        let drafts = [draft("a", "x", "0"), Draft { place, ..draft("", "x", "0") }];
        let says = |it| Draft { author: ann.clone(), id: numbered("", 1000 + n).id, ..it };
        assert!(commit(store, drafts.map(says).into()).await.iter().all(is_stored));
        let limit = PageLimit { messages: 9, bytes: 99, attachments: 9 };
        for range in [PageRange::Newest, PageRange::Before(seq(5)), PageRange::After(seq(1))] {
            store.page(&room("a"), range, limit).await.unwrap();
        }
        store.logs(&[room("a"), room("none")]).await.unwrap();
        store.revisions(&[(root.clone(), user("ann"))]).await.unwrap();
        store.member(&room("a"), &user("ann")).await.unwrap();
        store.user_exists(&root, &user("ann")).await.unwrap();
        store.is_registered(&root, &user("ann").key()).await.unwrap();
        store.last_seen(&root, &[user("ann")]).await.unwrap();
        store.device_seen(&root, &user("ann"), &DeviceId::from_raw("phone")).await.unwrap();
        let (entries_max, guests_after) = (Some(5), time(n));
        trim(store, &TrimLimits { entries_max, entries_after: None, guests_after }).await;
        let name = GuestName { space: root.clone(), user: user("ann"), guest_session: "1".into() };
        let online = OnlineDevices {
            space: root.clone(),
            user: user("ann"),
            devices: DeviceSet::new([], 1),
        };
        nodes
            .heartbeat(&[online.clone(), OnlineDevices { devices: DeviceSet::default(), ..online }])
            .await
            .unwrap();
        let phone = DeviceId::from_raw("phone");
        nodes.claim(&name, Some(&phone)).await.unwrap();
        nodes.guest_session(&name.space, &name.user, &phone).await.unwrap();
        nodes.online(&root, &[user("ann")]).await.unwrap();
        nodes.release(&[name]).await.unwrap();
    }
}

/// Waits until the other connections are closed: the server counts their reads when they end.
async fn connect_when_idle(database: &TestDatabase) -> PgConnection {
    let mut other_connection = database.connect().await;
    let others = "SELECT count(*) FROM pg_stat_activity \
        WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
    while sqlx::query_scalar::<_, i64>(others).fetch_one(&mut other_connection).await.unwrap() > 0 {
    }
    other_connection
}

#[tokio::test]
async fn no_statement_of_postgres_reads_a_whole_table() {
    let database = TestDatabase::start();
    let (store, nodes) = database.open().await;
    commit(&store, vec![draft("a", "0", "0")]).await;
    database.run("SELECT pg_stat_reset()").await;
    do_everything(&store, &nodes).await;
    store.close().await;
    nodes.leave().await.unwrap();
    drop(nodes);
    let mut other_connection = connect_when_idle(&database).await;
    // The tables of nodes are small.
    let read = "SELECT relname::text FROM pg_stat_user_tables WHERE seq_scan > 0 \
        AND relname NOT IN ('node', 'lost_name', 'meta', '_sqlx_migrations')";
    let read: Vec<String> =
        sqlx::query_scalar(read).fetch_all(&mut other_connection).await.unwrap();
    assert!(read.is_empty(), "{read:?}");
    let used = "SELECT count(*) FROM pg_stat_user_tables WHERE idx_scan > 0";
    let used: i64 = sqlx::query_scalar(used).fetch_one(&mut other_connection).await.unwrap();
    assert!(used >= 7, "what was done was counted: {used}");
}

/// Statements are planned for an empty table, which then grows.
#[tokio::test]
async fn a_postgres_commit_does_not_read_older_messages() {
    let database = TestDatabase::start();
    let (store, nodes) = database.open().await;
    drop(nodes);
    apply_changes(&store, vec![change("a", "author", JOIN)]).await;
    let says = |n| Draft { needs: Some(Role::Member), ..numbered("a", n) };
    for n in 0..20 {
        let drafts = (1..=50).map(|m| says(50 * n + m)).collect();
        // A batch of new messages is one statement, any other one is a transaction.
        let membership_queries = (n % 2 == 0).then(|| (Space::root(), user("author")));
        let membership_queries = membership_queries.into_iter().collect();
        store
            .commit(Batch { drafts, membership_queries, ..Batch::default() }.into())
            .await
            .unwrap();
    }
    store.close().await;
    let mut other_connection = connect_when_idle(&database).await;
    let read = "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes \
        WHERE relname IN ('message', 'conversation', 'member')";
    let read: i64 = sqlx::query_scalar(read).fetch_one(&mut other_connection).await.unwrap();
    // For each batch, its conversation and the author's membership; in a transaction, the author's
    // role for each row.
    assert!(read < 1000, "{read} rows were read for 1000 that were written");
}

/// Statements are planned for analysed tables, which then grow.
#[tokio::test]
async fn postgres_replans_while_tables_grow() {
    let database = TestDatabase::start();
    let (store, nodes) = database.open().await;
    drop(nodes);
    let act = async |n| {
        let seen = vec![guest(&Space::root(), "ann")];
        let changes = vec![change("a", "ann", JOIN), change("a", "ann", MemberChange::Leave)];
        let place = direct("/", "ann", "bob");
        let direct_message = Draft { place, author: user("ann"), ..numbered("", n) };
        let (drafts, membership_queries) =
            (vec![numbered("a", n), direct_message], vec![(Space::root(), user("ann"))]);
        let batch = Batch { seen, changes, drafts, membership_queries, ..Batch::default() };
        store.commit(batch.into()).await.unwrap();
    };
    act(0).await;
    database.run("VACUUM ANALYZE").await;
    for n in 1..3 {
        act(n).await;
    }
    for rows in [
        "member SELECT '/', 'other' || n, n, 0, 0, 0, 0, false",
        "\"user\" (space, name, vouched, key, seen) SELECT '/', 'other' || n, true, n::text, 0",
        "conversation (space, kind, one, other) SELECT '/', 0, 'other' || n, ''",
    ] {
        database.run(&format!("INSERT INTO {rows} FROM generate_series(1, 10000) AS n")).await;
    }
    database.run("SELECT pg_stat_reset()").await;
    for n in 3..60 {
        act(n).await;
    }
    store.close().await;
    let mut other_connection = connect_when_idle(&database).await;
    let read = "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes";
    let read: i64 = sqlx::query_scalar(read).fetch_one(&mut other_connection).await.unwrap();
    assert!(read < 57 * 50, "{read} rows were read by 57 batches");
}
