//! The contracts, which the other engines are held to, too.

use super::*;
use crate::store::contract::{
    RowCounts, guests_contract, outbox_contract, shared_contract, shared_outbox_contract,
    store_contract,
};
use crate::{chat::ports::Nodes as _, domain::NodeId};

fn count_rows(store: &MemoryStore) -> RowCounts {
    let state = store.lock();
    let (places, users) = (state.places.values(), state.users.values());
    let logs = places.clone().map(|it| it.page(PageRange::Newest, ALL).entries.len() as u64);
    RowCounts::from([
        ("user", state.users.len() as u64),
        ("device", users.map(|it| it.devices.len() as u64).sum()),
        ("member", places.clone().map(|it| it.members.len() as u64).sum()),
        ("conversation", places.filter(|it| !it.is_empty()).count() as u64),
        ("message", logs.sum()),
    ])
}

const ALL: PageLimit = PageLimit { messages: u32::MAX, bytes: usize::MAX, attachments: usize::MAX };

#[tokio::test]
async fn memory_keeps_the_contract_of_guests() {
    let rows = async |store: &MemoryStore| count_rows(store);
    let total = async |store: &MemoryStore| count_rows(store)["user"];
    let store = MemoryStore::new();
    guests_contract(500, async || store.clone(), rows, total).await;
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    store_contract(async || MemoryStore::new()).await;
}

#[tokio::test(start_paused = true)]
async fn memory_keeps_the_contract_of_the_outbox() {
    outbox_contract(async || MemoryStore::new()).await;
    let [one, other] = ["one", "other"].map(NodeId::from_raw);
    let nodes = MemoryNodes::single(one.clone());
    let others = nodes.add_node(other.clone());
    for node in [&nodes, &others] {
        node.heartbeat(&[]).await.unwrap();
    }
    let store = MemoryStore::new();
    let stores = (store.shared_by(&nodes), store.shared_by(&others));
    shared_outbox_contract((&stores.0, &stores.1), (&one, &other), tokio::time::advance).await;
}

#[tokio::test]
async fn memory_keeps_the_contract_of_shared_stores() {
    shared_contract(async || MemoryStore::new(), async |store| store.clone()).await;
}
