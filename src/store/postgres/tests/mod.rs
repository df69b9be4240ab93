//! Tests of PostgreSQL beyond the contract.

mod checks;
mod database;
mod faults;
mod guests;
mod message_commits;
mod transfer;

use futures_util::future::join_all;

use self::database::{TestDatabase, run_on};
use super::*;
use crate::chat::ports::Nodes as _;
use crate::store::contract::{
    NAMES_GRACE, assert_agrees_with_memory, nodes_contract, outbox_contract, shared_contract,
    shared_outbox_contract, store_contract,
};

/// The schema as it was.
fn migrations_until(version: i64) -> Migrator {
    Migrator::with_migrations(
        MIGRATIONS.iter().filter(|it| it.version <= version).cloned().collect(),
    )
}

#[tokio::test]
async fn postgres_keeps_the_contract() {
    let database = TestDatabase::start();
    Box::pin(store_contract(async || database.open().await.0)).await;
}

#[tokio::test]
async fn postgres_keeps_the_contract_of_shared_stores() {
    let database = TestDatabase::start();
    let open = async || database.open().await.0;
    let open_as_node = async |_: &PostgresStore| database.open_as_node("other").await.0;
    Box::pin(shared_contract(open, open_as_node)).await;
    let mut other_connection = database.connect().await;
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'";
    let deadlocks: i64 =
        sqlx::query_scalar(deadlocks).fetch_one(&mut other_connection).await.unwrap();
    assert_eq!(deadlocks, 0, "rows are locked in one order");
}

#[tokio::test]
async fn postgres_keeps_the_contract_of_nodes() {
    let database = TestDatabase::start();
    drop(database.open().await);
    let open = async |n: u32| database.open_as_node(&format!("n{n}")).await.1;
    let pass = async |time: Duration| {
        let mut other_connection = database.connect().await;
        let back = "UPDATE node SET beat = beat - $1 * interval '1 millisecond'";
        let millis = i64::try_from(time.as_millis()).unwrap();
        sqlx::query(back).bind(millis).execute(&mut other_connection).await.unwrap();
    };
    Box::pin(nodes_contract(open, pass)).await;
}

#[tokio::test]
async fn postgres_keeps_the_contract_of_the_outbox() {
    let database = TestDatabase::start();
    Box::pin(outbox_contract(async || database.open().await.0)).await;
    let (store, nodes) = database.open().await;
    let (other, other_nodes) = database.open_as_node("other").await;
    for nodes in [&nodes, &other_nodes] {
        nodes.heartbeat(&[]).await.unwrap();
    }
    let names = (&NodeId::from_raw("first"), &NodeId::from_raw("other"));
    let pass = async |time: Duration| {
        let mut other_connection = database.connect().await;
        let back = "UPDATE webhook_lease SET until = until - $1 * interval '1 millisecond'";
        let millis = i64::try_from(time.as_millis()).unwrap();
        sqlx::query(back).bind(millis).execute(&mut other_connection).await.unwrap();
    };
    Box::pin(shared_outbox_contract((&store, &other), names, pass)).await;
}

#[test]
fn postgres_agrees_with_memory() {
    let database = TestDatabase::start();
    assert_agrees_with_memory(16, async || database.open().await.0);
}

#[tokio::test]
async fn nodes_may_open_an_empty_database_of_postgres_at_once() {
    let database = TestDatabase::start();
    database.make_schema().await;
    let names = ["a", "b", "c", "d"];
    let opened = join_all(names.map(|name| database.open_as_node(name))).await;
    let epochs: Vec<_> = opened.iter().map(|(store, _)| store.epoch()).collect();
    assert!(epochs.iter().all(|epoch| *epoch == epochs[0]), "{epochs:?}");
}

#[tokio::test]
async fn the_epoch_of_a_postgres_database_is_stable() {
    let database = TestDatabase::start();
    let (first, _) = database.open().await;
    assert_eq!(database.open_as_node("later").await.0.epoch(), first.epoch());
    assert_ne!(database.open().await.0.epoch(), first.epoch());
}
