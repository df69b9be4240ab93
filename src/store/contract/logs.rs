//! Conversations, their order and their entries.

use std::collections::BTreeSet;

use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};

use super::*;
use crate::domain;

pub(super) async fn a_place_without_entries_is_empty(store: &dyn Store) {
    commit(store, vec![draft("other", "1", "1")]).await;
    assert_eq!(head(store, &room("lobby")).await, Seq::ZERO);
    for range in [PageRange::Newest, PageRange::Before(seq(5)), PageRange::After(Seq::ZERO)] {
        assert_eq!(page(store, &room("lobby"), range, 10).await, []);
    }
}

pub(super) async fn an_empty_batch_stores_nothing(store: &dyn Store) {
    assert_eq!(commit(store, Vec::new()).await, []);
}

pub(super) async fn a_probe_stores_nothing(store: &dyn Store) {
    commit(store, vec![draft("lobby", "1", "1")]).await;
    for _ in 0..3 {
        store.probe().await.unwrap();
    }
    commit(store, vec![draft("lobby", "2", "2")]).await;
    store.probe().await.unwrap();
    assert_eq!(head(store, &room("lobby")).await, seq(2));
    let rooms = store.rooms(&Space::root(), None, 10).await.unwrap();
    assert_eq!(rooms.len(), 1);
}

pub(super) async fn seq_is_dense_and_in_order_within_and_across_batches(store: &dyn Store) {
    let mut next = 1;
    for size in [1, 2, 3, 1, 17, 5] {
        let drafts = (next..next + size).map(|n| draft("lobby", &n.to_string(), "0")).collect();
        let expected: Vec<_> = (next..next + size).map(|n| Outcome::Stored(nth(n))).collect();
        assert_eq!(commit(store, drafts).await, expected);
        next += size;
        assert_eq!(head(store, &room("lobby")).await, seq(next - 1));
    }
    let log = log(store, &room("lobby")).await;
    let found: Vec<_> = log.iter().map(|it| (it.seq(), it.id.as_raw().to_owned())).collect();
    let expected: Vec<_> = (1..next).map(|n| (seq(n), n.to_string())).collect();
    assert_eq!(found, expected);
}

pub(super) async fn every_place_has_its_own_seq(store: &dyn Store) {
    let drafts = [("a", "1"), ("b", "1"), ("a", "2"), ("b", "2"), ("c", "1")];
    let outcomes = commit(store, drafts.map(|(room, id)| draft(room, id, "0")).into()).await;
    assert_eq!(outcomes, [1, 1, 2, 2, 1].map(|n| Outcome::Stored(nth(n))));
    let outcomes = commit(store, vec![draft("c", "2", "0"), draft("a", "3", "0")]).await;
    assert_eq!(outcomes, [2, 3].map(|n| Outcome::Stored(nth(n))));
}

pub(super) async fn many_logs_are_one_answer(store: &dyn Store) {
    commit(store, (0..300).map(|n| draft(&format!("r{n}"), "1", "0")).collect()).await;
    commit(store, vec![draft("r7", "2", "0")]).await;
    let mut places: Vec<_> = (0..300).map(|n| room(&format!("r{n}"))).collect();
    places.extend([room("nowhere"), room("r7")]);
    let heads = async || -> Vec<_> {
        store.logs(&places).await.unwrap().iter().map(|log| log.head.seq.as_raw()).collect()
    };
    let heads = heads().await;
    assert_eq!((heads.len(), heads[0], heads[7], heads[300], heads[301]), (302, 1, 2, 0, 2));
    assert_eq!(store.logs(&[]).await.unwrap(), []);
}

pub(super) async fn equal_names_in_other_spaces_and_kinds_are_other_places(store: &dyn Store) {
    let places = [
        room("ann"),
        Place::room(&Space::from_raw("/shop"), &RoomName::from_raw("ann")),
        direct("/", "ann", "ann"),
        direct("/", "ann", "bob"),
        direct("/shop", "ann", "bob"),
        direct("/", "ann", ""),
        room("Ann"),
        room("ann "),
    ];
    let of = |place: &Place| Draft { place: place.clone(), ..draft("", "1", "0") };
    let outcomes = commit(store, places.iter().map(of).collect()).await;
    assert_eq!(outcomes, places.each_ref().map(|_| Outcome::Stored(nth(1))));
    for place in &places {
        let log = log(store, place).await;
        assert_eq!(log.iter().map(|it| &it.place).collect::<Vec<_>>(), [place]);
    }
    let other_way_round = Conversation::direct(user("bob"), user("ann"));
    let place = Place { space: Space::root(), conversation: other_way_round };
    assert_eq!(head(store, &place).await, seq(1), "the first batch creates the log");
}

pub(super) async fn stored_entries_round_trip(store: &dyn Store) {
    let mut expected = Vec::new();
    for (n, kind) in (1..).zip(kinds()) {
        let id = format!("!~{n}");
        let author = format!("Zoë 🦀 {n}");
        let draft = Draft { author: user(&author), ..draft("Straße", &id, "{\"a\":1}") };
        let draft = with_kind(draft, kind);
        commit(store, vec![draft.clone()]).await;
        expected.push(stored(draft, n));
    }
    assert_eq!(log(store, &room("Straße")).await, expected);
}

/// Each accepted name as a space, a room, an author, a member and an id.
pub(super) async fn names_round_trip(store: &dyn Store) {
    let mut runner = TestRunner::deterministic();
    let mut any_name = || domain::any_name().new_tree(&mut runner).unwrap().current();
    let names: BTreeSet<String> = (0..60).map(|_| any_name()).collect();
    let drafts: Vec<Draft> = names
        .iter()
        .map(|name| Draft {
            place: Place { space: Space::from_raw(&format!("/{name}")), ..room(name) },
            author: user(name),
            ..draft(name, name, "0")
        })
        .collect();
    let seen = names.iter().map(|name| guest(&Space::root(), name)).collect();
    let changes = names.iter().map(|name| change("hall", name, JOIN)).collect();
    let batch = Batch { drafts: drafts.clone(), seen, changes, ..Batch::default() };
    store.commit(batch.into()).await.unwrap();
    for (name, draft) in names.iter().zip(drafts) {
        assert_eq!(log(store, &draft.place).await, [stored(draft.clone(), 1)]);
        assert!(user_exists(store, &Space::root(), name).await, "{name:?}");
        assert_eq!(memberships(store, name).await.len(), 1, "{name:?}");
    }
}

pub(super) async fn bodies_of_every_form_round_trip(store: &dyn Store) {
    let bytes = |size: usize| (0..=255).cycle().take(size).collect::<Bytes>();
    let bodies = [
        body("\"plain\""),
        body("\"naïve 日本語 👩‍👩‍👧‍👦 \\u0000 \\\" ' ; -- \""),
        body("{ \"spaces\" :  [1.0e5, null] }"),
        Body::from_raw("{}".into(), vec![Bytes::new()]),
        Body::from_raw("{}".into(), vec![Bytes::new(), bytes(1), Bytes::new()]),
        Body::from_raw("[]".into(), (0..10).map(|n| bytes(n * 300)).collect()),
        Body::from_raw(placeholder(), vec![bytes(512 << 10)]),
        body(&format!("\"{}\"", "x".repeat(512 << 10))),
    ];
    let of = |(n, body): (u64, &Body)| with_body(numbered("lobby", n), body.clone());
    let outcomes = commit(store, (1..).zip(&bodies).map(of).collect()).await;
    assert_eq!(outcomes.last(), Some(&Outcome::Stored(nth(8))));
    let log = log(store, &room("lobby")).await;
    let found: Vec<_> = log.iter().filter_map(Entry::body).cloned().collect();
    assert!(found == bodies, "a body has changed");
    for (n, body) in (1..).zip(&bodies) {
        let outcome = commit(store, vec![of((n, body))]).await;
        assert_eq!(outcome, [Outcome::Duplicate { seq: seq(n), at: time(n) }]);
    }
}

pub(super) async fn a_time_is_kept_to_the_millisecond(store: &dyn Store) {
    let fine = OffsetDateTime::UNIX_EPOCH + Duration::nanoseconds(1_700_000_000_123_987_654);
    let kept = OffsetDateTime::UNIX_EPOCH + Duration::milliseconds(1_700_000_000_123);
    let draft = |id, at| Draft { at, ..draft("lobby", id, "0") };
    commit(store, vec![draft("fine", fine), draft("kept", kept)]).await;
    let found: Vec<_> = log(store, &room("lobby")).await.into_iter().map(|it| it.at).collect();
    assert_eq!(found, [kept, kept], "truncated, not rounded");
    let later = draft("fine", fine + Duration::HOUR);
    let expected = Outcome::Duplicate { seq: seq(1), at: kept };
    assert_eq!(commit(store, vec![later]).await, [expected], "the first time counts");
}

pub(super) async fn many_places_in_a_batch_are_kept_apart(store: &dyn Store) {
    let drafts = |round: u64| {
        let of =
            |n: u64| [numbered(&format!("room-{n}"), round), numbered("lobby", round << 32 | n)];
        (0..300).flat_map(of).collect()
    };
    commit(store, drafts(1)).await;
    let outcomes = commit(store, drafts(2)).await;
    let in_rooms: Vec<_> = outcomes.iter().step_by(2).collect();
    assert!(in_rooms.iter().all(|outcome| **outcome == Outcome::Stored(nth(2))));
    let in_lobby: Vec<_> = outcomes.iter().skip(1).step_by(2).copied().collect();
    let expected: Vec<_> = (301..=600).map(|n| Outcome::Stored(nth(n))).collect();
    assert_eq!(in_lobby, expected);
    for n in [0, 1, 255, 256, 299] {
        let place = room(&format!("room-{n}"));
        assert_eq!(log(store, &place).await.len(), 2);
        assert_eq!(head(store, &place).await, seq(2));
    }
}

pub(super) async fn a_big_batch_is_stored_whole(store: &dyn Store) {
    let drafts: Vec<_> = (1..=2000).map(|n| numbered("lobby", n)).collect();
    let expected: Vec<_> = (1..=2000).map(|n| Outcome::Stored(nth(n))).collect();
    assert_eq!(commit(store, drafts.clone()).await, expected);
    let expected: Vec<_> = (1..).zip(drafts.clone()).map(|(n, draft)| stored(draft, n)).collect();
    assert_eq!(log(store, &room("lobby")).await, expected);
    let again = |n| Outcome::Duplicate { seq: seq(n), at: time(n) };
    let expected: Vec<_> = (1..=2000).map(again).collect();
    assert_eq!(commit(store, drafts).await, expected);
}

pub(super) async fn reads_and_commits_run_concurrently(store: &dyn Store) {
    let write = async |room: &str| {
        for n in 0..20 {
            let drafts: Vec<_> = (1..=7).map(|it| numbered(room, n * 7 + it)).collect();
            commit(store, drafts).await;
            assert_eq!(page(store, &self::room(room), PageRange::Newest, 1).await.len(), 1);
            assert_eq!(head(store, &self::room(room)).await, seq(n * 7 + 7));
        }
    };
    let read = async |room: &str| {
        let mut length = 0;
        while length < 140 {
            let log = log(store, &self::room(room)).await;
            assert!(
                log.len() >= length && log.len() % 7 == 0,
                "a part of a batch, or less than before"
            );
            assert!((1..).zip(&log).all(|(n, message)| message.seq() == seq(n)));
            length = log.len();
            tokio::task::yield_now().await;
        }
    };
    let writers = ["a", "b", "c"].map(write);
    let readers = ["a", "b", "c", "a", "b", "c"].map(read);
    tokio::join!(join_all(writers), join_all(readers));
}
