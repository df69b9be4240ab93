//! Guests that come once leave no rows and need no space.

use super::*;
use crate::store::contract::{RowCounts, guests_contract};

const COUNT: &str = "SELECT (SELECT count(*) FROM user), (SELECT count(*) FROM device), \
    (SELECT count(*) FROM member), (SELECT count(*) FROM conversation), \
    (SELECT count(*) FROM message)";

async fn count_rows(store: &SqliteStore) -> RowCounts {
    let counts: (i64, i64, i64, i64, i64) =
        sqlx::query_as(COUNT).fetch_one(&store.readers).await.unwrap();
    let (user, device, member, conversation, message) = counts;
    let tables = [
        ("user", user),
        ("device", device),
        ("member", member),
        ("conversation", conversation),
        ("message", message),
    ];
    tables.map(|(table, count)| (table, u64::try_from(count).unwrap())).into()
}

#[tokio::test]
async fn sqlite_keeps_the_contract_of_guests() {
    let directory = tempfile::tempdir().unwrap();
    let fast = options(directory.path());
    let fast = SqliteOptions { synchronous: Synchronous::Normal, ..fast };
    let open = async || SqliteStore::open(&fast).await.unwrap();
    // The size of the file once the write-ahead log is written into it.
    let size = async |store: &SqliteStore| {
        let mut guard = store.writer.acquire().await.unwrap();
        assert!(trim::truncate_wal(guard.connection()).await.unwrap());
        guard.release();
        fs::metadata(directory.path().join("roomcast.db")).unwrap().len()
    };
    Box::pin(guests_contract(10_000, open, count_rows, size)).await;
}
