//! What PostgreSQL promises beyond the contract.

mod database;

use self::database::TestDatabase;
use super::*;
use crate::store::contract::{nodes_contract, shared_contract, store_contract};

#[tokio::test]
async fn postgres_keeps_the_contract() {
    let database = TestDatabase::start();
    Box::pin(store_contract(async || database.open().await.0)).await;
}

#[tokio::test]
async fn postgres_keeps_the_contract_of_shared_stores() {
    let database = TestDatabase::start();
    let open = async || database.open().await.0;
    let beside = async |_: &PostgresStore| database.beside("other").await.0;
    Box::pin(shared_contract(open, beside)).await;
}

#[tokio::test]
async fn postgres_keeps_the_contract_of_nodes() {
    let database = TestDatabase::start();
    drop(database.open().await);
    let open = async |n: u32| database.beside(&format!("n{n}")).await.1;
    let pass = async |time: Duration| {
        let mut stranger = database.connect().await;
        let back = "UPDATE node SET beat = beat - $1 * interval '1 millisecond'";
        let millis = i64::try_from(time.as_millis()).unwrap();
        sqlx::query(back).bind(millis).execute(&mut stranger).await.unwrap();
    };
    Box::pin(nodes_contract(open, pass)).await;
}
