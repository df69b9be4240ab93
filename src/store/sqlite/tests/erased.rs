//! Removed content is not in the files any more.

use super::*;
use crate::{chat::ports::TrimLimits, store::contract::body};

/// The database holds no part of a body that was edited or deleted.
#[tokio::test]
async fn removed_bodies_are_not_in_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    let secret = |n: u64| format!("\"secret {n} {}\"", "x".repeat(9000));
    let drafts = (1..=2).map(|n| draft("lobby", &n.to_string(), &secret(n))).collect();
    commit(&store, drafts).await;
    let act = |act| Draft { act, ..draft("lobby", "", "") };
    let edit = act(DraftAct::Edit { of: seq(1), body: body("1") });
    commit(&store, vec![edit, act(DraftAct::Delete { of: seq(2) })]).await;
    let everything = TrimLimits {
        entries_max: None,
        entries_after: None,
        guests_after: OffsetDateTime::UNIX_EPOCH,
    };
    store.trim(&everything, None).await.unwrap();
    for file in ["roomcast.db", "roomcast.db-wal"] {
        let bytes = fs::read(directory.path().join(file)).unwrap();
        let is_left = |window: &[u8]| window == b"secret " || window == b"xxxxxxx";
        assert!(!bytes.windows(7).any(is_left), "{file}, while it is used");
    }
    store.close().await;
}
