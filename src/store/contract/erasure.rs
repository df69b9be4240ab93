//! Erasing a log: as retention removes entries, but on request.

use super::*;
use crate::chat::ports::Erased;

/// Erases to the end. Returns what is left, and the number of calls.
async fn erase(store: &dyn Store, place: &Place, up_to: u64) -> (Option<Retained>, u64) {
    let (mut left, mut calls) = (None, 0);
    loop {
        let Erased { retained, more } = store.erase(place, seq(up_to)).await.unwrap();
        calls += 1;
        left = retained.or(left);
        if !more {
            return (left, calls);
        }
    }
}

pub(super) async fn an_erased_log_keeps_its_members_and_its_numbers(store: &dyn Store) {
    let lobby = room("lobby");
    apply_changes(store, vec![change("lobby", "ann", JOIN)]).await;
    commit(store, vec![numbered("lobby", 1), numbered("lobby", 2)]).await;
    commit(store, vec![delete("lobby", 1), edit("lobby", 2, "other")]).await;
    commit(store, vec![numbered("lobby", 3), numbered("other", 1)]).await;
    let retained = |(left, _): (Option<Retained>, u64)| left.map(|it| it.floor);
    assert_eq!(retained(erase(store, &lobby, 2).await), Some(at(2, 2)));
    let entries = log(store, &lobby).await;
    assert_eq!(entries.iter().map(|it| it.seq().as_raw()).collect::<Vec<_>>(), [3, 4, 5]);
    assert!(entries.iter().all(|it| it.body().is_none() || it.is_message()), "no body is left");
    assert_eq!(log_state(store, &lobby).await.deleted, 0);
    assert_eq!(retained(erase(store, &lobby, 2).await), None, "a second time");
    assert_eq!(retained(erase(store, &lobby, 99).await), Some(at(5, 3)), "up to the head");
    assert_eq!(log(store, &lobby).await, []);
    let state = log_state(store, &lobby).await;
    assert_eq!((state.head, state.floor, state.members), (at(5, 3), at(5, 3), 1));
    assert_eq!(state.unread(Position::ZERO, 0), 0);
    assert!(member(store, &lobby, "ann").await.is_some());
    assert_eq!(log(store, &room("other")).await.len(), 1, "another room");
    let again = commit(store, vec![numbered("lobby", 3), edit("lobby", 3, "x")]).await;
    assert_eq!(again, [Outcome::Stored(at(6, 4)), Outcome::NoMessage], "a new message");
}

pub(super) async fn a_place_without_entries_is_not_erased(store: &dyn Store) {
    apply_changes(store, vec![change("empty", "ann", JOIN)]).await;
    for place in [room("empty"), room("nowhere"), inbox("ann")] {
        assert_eq!(erase(store, &place, 99).await, (None, 1), "{place:?}");
    }
    assert_eq!(log_state(store, &room("empty")).await.members, 1);
}

pub(super) async fn a_long_log_is_erased_in_parts(store: &dyn Store) {
    let drafts = (1..=2500).map(|n| numbered("lobby", n)).collect();
    commit(store, drafts).await;
    let (left, calls) = erase(store, &room("lobby"), 2400).await;
    assert_eq!(left.map(|it| it.floor), Some(nth(2400)));
    assert!(calls <= 3, "{calls}");
    let first = page(store, &room("lobby"), PageRange::After(Seq::ZERO), 1).await;
    assert_eq!(first.first().map(Entry::seq), Some(seq(2401)));
}
