//! Guests that come once leave no rows and need no space.

use super::*;
use crate::{
    chat::ports::{Batch, UserSeen},
    store::contract::{RowCounts, guest, guests_contract, time, user_exists},
};

const COUNT: &str = r#"SELECT (SELECT count(*) FROM "user"), (SELECT count(*) FROM device),
    (SELECT count(*) FROM member), (SELECT count(*) FROM conversation),
    (SELECT count(*) FROM message)"#;

const SIZE: &str = r#"SELECT sum(pg_total_relation_size(name))::bigint
    FROM unnest(ARRAY['"user"', 'device', 'member', 'conversation']::regclass[]) AS name"#;

#[tokio::test]
async fn postgres_keeps_the_contract_of_guests() {
    let database = TestDatabase::start();
    database.make_schema().await;
    let open = async || database.open_as_node("again").await.0;
    let count_rows = async |_: &PostgresStore| {
        let mut other_connection = database.connect().await;
        let counts: (i64, i64, i64, i64, i64) =
            sqlx::query_as(COUNT).fetch_one(&mut other_connection).await.unwrap();
        let (user, device, member, conversation, message) = counts;
        let tables = [
            ("user", user),
            ("device", device),
            ("member", member),
            ("conversation", conversation),
            ("message", message),
        ];
        RowCounts::from(tables.map(|(table, count)| (table, u64::try_from(count).unwrap())))
    };
    let size = async |_: &PostgresStore| {
        let mut other_connection = database.connect().await;
        // The first VACUUM removes rows. The second one frees the pages of indexes, if there was a
        // transaction in between.
        for statement in ["VACUUM", "SELECT pg_current_xact_id()", "VACUUM"] {
            run_on(&mut other_connection, statement).await;
        }
        let size: i64 = sqlx::query_scalar(SIZE).fetch_one(&mut other_connection).await.unwrap();
        u64::try_from(size).unwrap()
    };
    Box::pin(guests_contract(10_000, open, count_rows, size)).await;
}

#[tokio::test]
async fn a_guest_that_returns_while_it_is_removed_is_stored() {
    let database = TestDatabase::start();
    let (store, _) = database.open().await;
    let seen = |n| Batch {
        seen: vec![UserSeen { at: time(n), ..guest(&Space::root(), "ann") }],
        ..Batch::default()
    };
    store.commit(seen(1).into()).await.unwrap();
    let mut sweep = database.connect().await;
    run_on(&mut sweep, r#"BEGIN; SELECT 1 FROM "user" FOR NO KEY UPDATE"#).await;
    let remove = async {
        database.wait_for_lock().await;
        run_on(&mut sweep, r#"DELETE FROM "user"; COMMIT"#).await;
    };
    let batch = seen(9);
    let (committed, ()) = tokio::join!(store.commit(batch.into()), remove);
    committed.unwrap();
    assert!(user_exists(&store, &Space::root(), "ann").await);
}
