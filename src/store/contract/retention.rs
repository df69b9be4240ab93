//! Retention.

use std::collections::BTreeMap;

use super::*;

pub(super) const EVERYTHING: TrimLimits =
    TrimLimits { entries_max: None, entries_after: None, guests_after: OffsetDateTime::UNIX_EPOCH };

/// Trims until nothing is left to remove. Returns what is left of the trimmed logs.
pub(crate) async fn trim_logs(store: &dyn Store, limits: &TrimLimits) -> Vec<(Place, Retained)> {
    let mut logs: BTreeMap<Place, Retained> = BTreeMap::new();
    loop {
        let trimmed = store.trim(limits, None).await.unwrap();
        for (place, retained) in trimmed.logs {
            let before = logs.insert(place, retained);
            assert!(before.is_none_or(|it| it.floor < retained.floor), "a floor rises");
        }
        if !trimmed.more {
            return logs.into_iter().collect();
        }
    }
}

/// The same, but returns only the floors.
pub(crate) async fn trim(store: &dyn Store, limits: &TrimLimits) -> Vec<(Place, Position)> {
    trim_logs(store, limits).await.into_iter().map(|(place, it)| (place, it.floor)).collect()
}

fn newest(entries_max: u64) -> TrimLimits {
    TrimLimits { entries_max: Some(entries_max), ..EVERYTHING }
}

fn since(entries_after: OffsetDateTime) -> TrimLimits {
    TrimLimits { entries_after: Some(entries_after), ..EVERYTHING }
}

async fn numbers(store: &dyn Store, name: &str, range: PageRange) -> Vec<u64> {
    let page = page(store, &room(name), range, 100).await;
    page.iter().map(|entry| entry.seq().as_raw()).collect()
}

const ALL: PageRange = PageRange::After(Seq::ZERO);

pub(super) async fn trim_keeps_the_newest_entries(store: &dyn Store) {
    let drafts = vec![
        numbered("a", 1),
        edit("a", 1, "0"),
        numbered("a", 3),
        delete("a", 3),
        numbered("a", 5),
        numbered("b", 1),
        numbered("b", 2),
        numbered("c", 1),
    ];
    commit(store, drafts).await;
    let floors = trim(store, &newest(2)).await;
    assert_eq!(floors, [(room("a"), at(3, 2))]);
    let log = log_state(store, &room("a")).await;
    assert_eq!((log.head, log.floor), (at(5, 3), at(3, 2)));
    assert_eq!(numbers(store, "a", ALL).await, [4, 5]);
    assert_eq!(numbers(store, "b", ALL).await, [1, 2]);
    assert_eq!(trim(store, &newest(2)).await, [], "nothing more");
    commit(store, vec![numbered("b", 3)]).await;
    assert_eq!(trim(store, &newest(2)).await, [(room("b"), nth(1))]);
}

pub(super) async fn trim_keeps_entries_younger_than_an_age(store: &dyn Store) {
    let taken = |room: &str, id, n| Draft { at: time(n), ..numbered(room, id) };
    let drafts = vec![
        taken("a", 1, 10),
        taken("a", 2, 20),
        taken("a", 3, 30),
        // A clock that was set back removes nothing early.
        taken("a", 4, 20),
        taken("b", 1, 21),
        taken("c", 1, 19),
    ];
    commit(store, drafts).await;
    let floors = trim(store, &since(time(20))).await;
    assert_eq!(floors, [(room("a"), nth(2)), (room("c"), nth(1))]);
    assert_eq!(numbers(store, "a", ALL).await, [3, 4]);
    let fine = time(29) + Duration::microseconds(999);
    assert_eq!(trim(store, &since(fine)).await, [(room("b"), nth(1))]);
    let both = TrimLimits { entries_max: Some(1), ..since(time(20)) };
    assert_eq!(trim(store, &both).await, [(room("a"), nth(4))], "one after the other");
    let log = log_state(store, &room("a")).await;
    assert_eq!((log.head, log.floor), (nth(4), nth(4)));
}

pub(super) async fn trim_removes_nothing_within_the_limits(store: &dyn Store) {
    commit(store, (1..=9).map(|n| numbered("lobby", n)).collect()).await;
    for retention in [EVERYTHING, newest(9), newest(u64::MAX), since(time(0))] {
        assert_eq!(trim(store, &retention).await, []);
    }
    let both = TrimLimits { entries_max: Some(9), ..since(time(0)) };
    assert_eq!(trim(store, &both).await, []);
    assert_eq!(numbers(store, "lobby", ALL).await, (1..=9).collect::<Vec<_>>());
}

pub(super) async fn a_trimmed_log_continues(store: &dyn Store) {
    commit(store, (1..=5).map(|n| numbered("lobby", n)).collect()).await;
    trim(store, &newest(2)).await;
    for (range, expected) in [
        (PageRange::After(seq(1)), &[4, 5][..]),
        (PageRange::After(seq(3)), &[4, 5]),
        (PageRange::Before(seq(4)), &[]),
        (PageRange::Before(seq(2)), &[]),
        (PageRange::Newest, &[4, 5]),
    ] {
        assert_eq!(numbers(store, "lobby", range).await, expected, "{range:?}");
    }
    let limit = PageLimit { messages: 2, bytes: 1000, attachments: 10 };
    let page = store.page(&room("lobby"), PageRange::Newest, limit).await.unwrap();
    assert!(!page.more, "removed entries are not available");
    trim(store, &newest(0)).await;
    assert!(numbers(store, "lobby", ALL).await.is_empty());
    let drafts = vec![numbered("lobby", 2), edit("lobby", 5, "0"), delete("lobby", 5)];
    let expected = [Outcome::Stored(nth(6)), Outcome::NoMessage, Outcome::NoMessage];
    assert_eq!(commit(store, drafts).await, expected, "the id of a removed message is free");
    assert_eq!(numbers(store, "lobby", ALL).await, [6]);
}

pub(super) async fn trimmed_messages_are_not_unread(store: &dyn Store) {
    let names = ["ann", "bob"];
    apply_changes(store, names.map(|name| change("lobby", name, JOIN)).into()).await;
    commit(store, (1..=9).map(|n| numbered("lobby", n)).collect()).await;
    trim(store, &newest(4)).await;
    let log = log_state(store, &room("lobby")).await;
    assert_eq!(log.floor, nth(5));
    let reads = |name, n| change("lobby", name, MemberChange::Read(seq(n)));
    assert_eq!(log.unread(read(store, &room("lobby"), "bob").await, 0), 4);
    let changed =
        apply_changes(store, vec![reads("ann", 3), reads("ann", 7), reads("ann", 5)]).await;
    let read: Vec<_> = changed.iter().filter_map(|it| it.after).map(|it| it.read).collect();
    assert_eq!(read, [nth(5), nth(7), nth(7)]);
    assert_eq!(changed.iter().map(ChangeResult::unread).collect::<Vec<_>>(), [4, 2, 2]);
}

pub(super) async fn a_trim_counts_the_deleted_messages_that_are_left(store: &dyn Store) {
    apply_changes(store, vec![change("lobby", "ann", JOIN)]).await;
    let mut drafts: Vec<_> = (1..=6).map(|n| numbered("lobby", n)).collect();
    drafts.extend([2, 4, 5].map(|n| delete("lobby", n)));
    commit(store, drafts).await;
    let unread = async || {
        let membership = memberships(store, "ann").await.remove(0);
        (membership.deleted, membership.log.unread(membership.member.read, membership.deleted))
    };
    assert_eq!(unread().await, (3, 3));
    let trimmed = trim_logs(store, &newest(7)).await;
    let left = |n, count| {
        let deleted = DeletedCount { count, up_to: seq(9) };
        [(room("lobby"), Retained { floor: nth(n), deleted })]
    };
    assert_eq!(trimmed, left(2, 2));
    assert_eq!(unread().await, (2, 2));
    assert_eq!(trim_logs(store, &newest(4)).await, left(5, 0));
    assert_eq!(unread().await, (0, 1));
}

pub(super) async fn changes_of_trimmed_messages_stay(store: &dyn Store) {
    let drafts = vec![
        numbered("lobby", 1),
        numbered("lobby", 2),
        edit("lobby", 1, "\"new\""),
        delete("lobby", 2),
    ];
    commit(store, drafts).await;
    trim(store, &newest(2)).await;
    let found = log(store, &room("lobby")).await;
    assert_eq!(found[0].act, Act::Edited { of: seq(1), body: None });
    assert_eq!(found[1].act, Act::Deleted { of: seq(2) });
    let drafts = vec![delete("lobby", 2), edit("lobby", 1, "0")];
    assert_eq!(commit(store, drafts).await, [Outcome::NoMessage, Outcome::NoMessage]);
}

pub(super) async fn trim_forgets_absent_guests(store: &dyn Store) {
    let seen = |name: &str, n| UserSeen { at: time(n), ..guest(&Space::root(), name) };
    let users = UserSeen { identity_kind: IdentityKind::Registered, ..seen("user", 1) };
    let seen = vec![seen("ann", 5), seen("bob", 6), seen("cleo", 9), users];
    let names = ["ann", "bob", "cleo", "user", "unseen"];
    let changes = names.map(|name| change("lobby", name, JOIN)).into();
    store.commit(Batch { seen, changes, ..Batch::default() }.into()).await.unwrap();
    let until = |n| TrimLimits { guests_after: time(n), ..EVERYTHING };
    let count = async || log_state(store, &room("lobby")).await.members;
    trim(store, &until(4)).await;
    assert_eq!(count().await, 5);
    trim(store, &until(6)).await;
    assert_eq!(count().await, 3);
    for (name, stays) in names.into_iter().zip([false, false, true, true, true]) {
        assert_eq!(member(store, &room("lobby"), name).await.is_some(), stays, "{name}");
    }
    for (name, stays) in names.into_iter().zip([false, false, true, true, false]) {
        assert_eq!(user_exists(store, &Space::root(), name).await, stays, "{name}");
    }
    // Memberships from the time of absence end, too, if the name is known; those from after the
    // return are kept.
    let was_user = UserSeen { at: time(5), ..guest(&Space::root(), "user") };
    record_seen(store, was_user).await;
    apply_changes(store, vec![change("lobby", "user", JOIN)]).await;
    trim(store, &until(6)).await;
    assert_eq!(memberships(store, "user").await.len(), 0);
    assert!(store.is_registered(&Space::root(), &user("user").key()).await.unwrap());
    apply_changes(store, vec![change("lobby", "user", JOIN)]).await;
    trim(store, &until(6)).await;
    assert_eq!(memberships(store, "user").await.len(), 0);
    apply_changes(store, vec![change("lobby", "bob", JOIN)]).await;
    record_seen(store, UserSeen { at: time(8), ..guest(&Space::root(), "bob") }).await;
    trim(store, &until(7)).await;
    assert_eq!(memberships(store, "bob").await.len(), 1);
    assert_eq!(memberships(store, "cleo").await.len(), 1);
}

pub(super) async fn a_long_log_is_cut_in_bounded_parts(store: &dyn Store) {
    let drafts: Vec<_> = (1..=2500).map(|n| Draft { at: time(9), ..numbered("a", n) }).collect();
    commit(store, drafts).await;
    let others = (0..300).map(|n| Draft { at: time(8), ..numbered(&format!("room-{n}"), 1) });
    commit(store, others.collect()).await;
    let many = (0..200).map(|n| guest(&Space::root(), &format!("guest {n}")));
    let changes = (0..200).map(|n| change("b", &format!("guest {n}"), JOIN)).collect();
    store.commit(Batch { seen: many.collect(), changes, ..Batch::default() }.into()).await.unwrap();
    let retention = TrimLimits { guests_after: time(5), ..newest(7) };
    assert_eq!(trim(store, &retention).await, [(room("a"), nth(2493))]);
    assert_eq!(log_state(store, &room("b")).await.members, 0);
    let floors = trim(store, &since(time(8))).await;
    assert_eq!(floors.len(), 300);
    assert_eq!(trim(store, &since(time(9))).await, [(room("a"), nth(2500))]);
}
