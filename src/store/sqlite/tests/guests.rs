//! Guests that come once leave no rows and need no space.

use super::*;
use crate::store::contract::{RowCounts, guests_contract};

const COUNT: &str = "SELECT (SELECT count(*) FROM user), (SELECT count(*) FROM device), \
    (SELECT count(*) FROM member), (SELECT count(*) FROM conversation), \
    (SELECT count(*) FROM message)";

async fn count_rows(store: &SqliteStore) -> RowCounts {
    let count = |connection: &Connection| {
        let tables = ["user", "device", "member", "conversation", "message"];
        Ok(connection.query_row(COUNT, (), |row| {
            let counts =
                (0..).zip(tables).map(|(n, table)| Ok((table, row.get::<_, u32>(n)?.into())));
            counts.collect()
        })?)
    };
    store.readers.run(count).await.unwrap()
}

#[tokio::test]
async fn sqlite_keeps_the_contract_of_guests() {
    let directory = tempfile::tempdir().unwrap();
    let fast = options(directory.path());
    let fast = SqliteOptions { synchronous: Synchronous::Normal, ..fast };
    let open = async || SqliteStore::open(&fast).await.unwrap();
    // The size of the file once the write-ahead log is written into it.
    let size = async |store: &SqliteStore| {
        assert!(store.writer.run(trim::truncate_wal).await.unwrap());
        fs::metadata(directory.path().join("roomcast.db")).unwrap().len()
    };
    Box::pin(guests_contract(10_000, open, count_rows, size)).await;
}
