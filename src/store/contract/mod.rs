//! What every engine that keeps must do: the guarantees of [`Store`], one function each.

mod users;
mod words;

use bytes::Bytes;
use futures_util::future::join_all;
use time::{Duration, OffsetDateTime};

use crate::{
    chat::ports::{
        Batch, DEVICES_PER_USER_MAX, Draft, Outcome, PageLimit, Range, Seen, Store, Voucher,
    },
    domain::{Body, Conversation, DeviceId, Kind, Place, RoomName, Seq, Space},
};

pub(crate) use self::words::*;

/// Holds an engine to its port. Each guarantee gets a store in which nothing was ever said.
pub(crate) async fn store_contract<S: Store>(open: impl AsyncFn() -> S) {
    a_place_where_nothing_was_said_is_empty(&open().await).await;
    an_empty_batch_stores_nothing(&open().await).await;
    seq_is_dense_and_in_order_within_and_across_batches(&open().await).await;
    every_place_has_its_own_seq(&open().await).await;
    equal_names_in_other_spaces_and_kinds_are_other_places(&open().await).await;
    what_is_stored_comes_back_as_it_was(&open().await).await;
    bodies_of_every_form_come_back_as_they_were(&open().await).await;
    a_time_is_kept_to_the_millisecond(&open().await).await;
    a_repeat_is_a_duplicate_for_ever(&open().await).await;
    a_repeat_within_a_batch_is_a_duplicate(&open().await).await;
    an_id_belongs_to_its_author_and_place(&open().await).await;
    the_same_id_with_anything_else_is_a_conflict(&open().await).await;
    repeats_and_conflicts_take_no_seq(&open().await).await;
    pages_end_where_they_should(&open().await).await;
    a_page_is_bounded_in_bytes_and_attachments(&open().await).await;
    many_places_in_a_batch_are_kept_apart(&open().await).await;
    a_big_batch_is_stored_whole(&open().await).await;
    users::a_user_who_came_is_known_in_that_space(&open().await).await;
    users::a_name_that_was_vouched_for_stays_so(&open().await).await;
    users::a_device_is_known_with_the_time_it_was_last_seen(&open().await).await;
    users::of_many_devices_the_last_ones_are_kept(&open().await).await;
    reads_and_commits_may_come_at_the_same_time(&open().await).await;
    store_is_closed(&open().await).await;
}

async fn a_place_where_nothing_was_said_is_empty(store: &dyn Store) {
    commit(store, vec![draft("other", "1", "1")]).await;
    assert_eq!(head(store, &room("lobby")).await, Seq::ZERO);
    for range in [Range::Newest, Range::Before(seq(5)), Range::After(Seq::ZERO)] {
        assert_eq!(page(store, &room("lobby"), range, 10).await, []);
    }
}

async fn an_empty_batch_stores_nothing(store: &dyn Store) {
    assert_eq!(commit(store, Vec::new()).await, []);
}

async fn seq_is_dense_and_in_order_within_and_across_batches(store: &dyn Store) {
    let mut next = 1;
    for size in [1, 2, 3, 1, 17, 5] {
        let drafts = (next..next + size).map(|n| draft("lobby", &n.to_string(), "0")).collect();
        let expected: Vec<_> = (next..next + size).map(|n| Outcome::Stored(seq(n))).collect();
        assert_eq!(commit(store, drafts).await, expected);
        next += size;
        assert_eq!(head(store, &room("lobby")).await, seq(next - 1));
    }
    let log = log(store, &room("lobby")).await;
    let found: Vec<_> = log.iter().map(|it| (it.seq, it.id.as_raw().to_owned())).collect();
    let expected: Vec<_> = (1..next).map(|n| (seq(n), n.to_string())).collect();
    assert_eq!(found, expected);
}

async fn every_place_has_its_own_seq(store: &dyn Store) {
    let drafts = [("a", "1"), ("b", "1"), ("a", "2"), ("b", "2"), ("c", "1")];
    let outcomes = commit(store, drafts.map(|(room, id)| draft(room, id, "0")).into()).await;
    assert_eq!(outcomes, [1, 1, 2, 2, 1].map(|n| Outcome::Stored(seq(n))));
    let outcomes = commit(store, vec![draft("c", "2", "0"), draft("a", "3", "0")]).await;
    assert_eq!(outcomes, [2, 3].map(|n| Outcome::Stored(seq(n))));
}

async fn equal_names_in_other_spaces_and_kinds_are_other_places(store: &dyn Store) {
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
    assert_eq!(outcomes, places.each_ref().map(|_| Outcome::Stored(seq(1))));
    for place in &places {
        let log = log(store, place).await;
        assert_eq!(log.iter().map(|it| &it.place).collect::<Vec<_>>(), [place]);
    }
    let other_way_round = Conversation::direct(user("bob"), user("ann"));
    let place = Place { space: Space::root(), conversation: other_way_round };
    assert_eq!(head(store, &place).await, seq(1), "whoever begins");
}

async fn what_is_stored_comes_back_as_it_was(store: &dyn Store) {
    let mut expected = Vec::new();
    for (n, kind) in (1..).zip([Kind::Message, Kind::GroupChat, Kind::SingleChat]) {
        let id = format!("!~{n}");
        let author = format!("Zoë 🦀 {n}");
        let draft = Draft { kind, author: user(&author), ..draft("Straße", &id, "{\"a\":1}") };
        commit(store, vec![draft.clone()]).await;
        expected.push(stored(draft, n));
    }
    assert_eq!(log(store, &room("Straße")).await, expected);
}

async fn bodies_of_every_form_come_back_as_they_were(store: &dyn Store) {
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
    let of = |(n, body): (u64, &Body)| Draft { body: body.clone(), ..numbered("lobby", n) };
    let outcomes = commit(store, (1..).zip(&bodies).map(of).collect()).await;
    assert_eq!(outcomes.last(), Some(&Outcome::Stored(seq(8))));
    let found: Vec<_> = log(store, &room("lobby")).await.into_iter().map(|it| it.body).collect();
    assert!(found == bodies, "a body is not what it was");
    for (n, body) in (1..).zip(&bodies) {
        let outcome = commit(store, vec![of((n, body))]).await;
        assert_eq!(outcome, [Outcome::Duplicate { seq: seq(n), at: time(n) }]);
    }
}

async fn a_time_is_kept_to_the_millisecond(store: &dyn Store) {
    let fine = OffsetDateTime::UNIX_EPOCH + Duration::nanoseconds(1_700_000_000_123_987_654);
    let kept = OffsetDateTime::UNIX_EPOCH + Duration::milliseconds(1_700_000_000_123);
    let draft = |id, at| Draft { at, ..draft("lobby", id, "0") };
    commit(store, vec![draft("fine", fine), draft("kept", kept)]).await;
    let found: Vec<_> = log(store, &room("lobby")).await.into_iter().map(|it| it.at).collect();
    assert_eq!(found, [kept, kept], "cut, not rounded");
    let later = draft("fine", fine + Duration::HOUR);
    let expected = Outcome::Duplicate { seq: seq(1), at: kept };
    assert_eq!(commit(store, vec![later]).await, [expected], "the first time counts");
}

async fn a_repeat_is_a_duplicate_for_ever(store: &dyn Store) {
    commit(store, (1..=50).map(|n| numbered("lobby", n)).collect()).await;
    commit(store, (51..=100).map(|n| numbered("lobby", n)).collect()).await;
    for n in [1, 50, 51, 100] {
        let expected = Outcome::Duplicate { seq: seq(n), at: time(n) };
        assert_eq!(commit(store, vec![numbered("lobby", n)]).await, [expected]);
        assert_eq!(commit(store, vec![numbered("lobby", n)]).await, [expected], "again");
    }
}

async fn a_repeat_within_a_batch_is_a_duplicate(store: &dyn Store) {
    let (one, two) = (numbered("lobby", 1), numbered("lobby", 2));
    let other = Draft { body: body("\"other\""), ..one.clone() };
    let outcomes = commit(store, vec![one.clone(), two, one.clone(), other, one]).await;
    let again = Outcome::Duplicate { seq: seq(1), at: time(1) };
    let expected = [1, 2].map(|n| Outcome::Stored(seq(n)));
    assert_eq!(outcomes[..2], expected);
    assert_eq!(outcomes[2..], [again, Outcome::Conflict, again]);
    assert_eq!(head(store, &room("lobby")).await, seq(2));
}

async fn an_id_belongs_to_its_author_and_place(store: &dyn Store) {
    let by = |author: &str, room: &str| Draft { author: user(author), ..draft(room, "same", "0") };
    let drafts = vec![by("ann", "a"), by("bob", "a"), by("Ann", "a"), by("ann", "b")];
    let outcomes = commit(store, drafts.clone()).await;
    assert_eq!(outcomes, [1, 2, 3, 1].map(|n| Outcome::Stored(seq(n))));
    let again = commit(store, drafts).await;
    assert_eq!(again, [1, 2, 3, 1].map(|n| Outcome::Duplicate { seq: seq(n), at: time(1) }));
    let case = commit(store, vec![draft("a", "Same", "0")]).await;
    assert_eq!(case, [Outcome::Stored(seq(4))], "upper and lower case are two ids");
}

async fn the_same_id_with_anything_else_is_a_conflict(store: &dyn Store) {
    let with = |text: &str, attachments: &[&'static [u8]]| {
        Body::from_raw(text.into(), attachments.iter().map(|it| Bytes::from_static(it)).collect())
    };
    let first = Draft { body: with("[1]", &[b"ab", b"c"]), ..draft("lobby", "1", "") };
    commit(store, vec![first.clone()]).await;
    let others = [
        with("[2]", &[b"ab", b"c"]),
        with("[1]", &[b"a", b"bc"]),
        with("[1]", &[b"ab", b"c", b""]),
        with("[1]", &[b"ab"]),
        with("[1]", &[]),
        with("[1] ", &[b"ab", b"c"]),
    ];
    for body in others {
        let other = Draft { body, ..first.clone() };
        assert_eq!(commit(store, vec![other.clone()]).await, [Outcome::Conflict], "{other:?}");
    }
    let other = Draft { kind: Kind::GroupChat, ..first.clone() };
    assert_eq!(commit(store, vec![other]).await, [Outcome::Conflict], "as another event");
    assert_eq!(log(store, &room("lobby")).await, [stored(first, 1)], "the first one stands");
}

async fn repeats_and_conflicts_take_no_seq(store: &dyn Store) {
    commit(store, vec![numbered("lobby", 1)]).await;
    let conflict = Draft { body: body("\"no\""), ..numbered("lobby", 1) };
    let drafts = vec![numbered("lobby", 1), numbered("lobby", 2), conflict, numbered("lobby", 3)];
    let outcomes = commit(store, drafts).await;
    let again = Outcome::Duplicate { seq: seq(1), at: time(1) };
    let [two, three] = [2, 3].map(|n| Outcome::Stored(seq(n)));
    assert_eq!(outcomes, [again, two, Outcome::Conflict, three]);
    assert_eq!(head(store, &room("lobby")).await, seq(3));
    let only_repeats = vec![numbered("lobby", 2), numbered("lobby", 3)];
    commit(store, only_repeats).await;
    assert_eq!(head(store, &room("lobby")).await, seq(3));
}

async fn pages_end_where_they_should(store: &dyn Store) {
    commit(store, (1..=5).map(|n| numbered("lobby", n)).collect()).await;
    let (before, after) = (|n| Range::Before(seq(n)), |n| Range::After(seq(n)));
    let cases: [(Range, u32, &[u64]); 19] = [
        (Range::Newest, 0, &[5]),
        (Range::Newest, 1, &[5]),
        (Range::Newest, 4, &[2, 3, 4, 5]),
        (Range::Newest, 5, &[1, 2, 3, 4, 5]),
        (Range::Newest, u32::MAX, &[1, 2, 3, 4, 5]),
        (before(0), 9, &[]),
        (before(1), 9, &[]),
        (before(4), 2, &[2, 3]),
        (before(4), 3, &[1, 2, 3]),
        (before(5), 0, &[4]),
        (before(6), 2, &[4, 5]),
        (before(u64::MAX), 2, &[4, 5]),
        (after(0), 2, &[1, 2]),
        (after(0), u32::MAX, &[1, 2, 3, 4, 5]),
        (after(3), 9, &[4, 5]),
        (after(4), 0, &[5]),
        (after(4), 1, &[5]),
        (after(5), 9, &[]),
        (after(u64::MAX), 9, &[]),
    ];
    for (range, limit, expected) in cases {
        let page = page(store, &room("lobby"), range, limit).await;
        let found: Vec<_> = page.iter().map(|message| message.seq.as_raw()).collect();
        assert_eq!(found, expected, "{range:?}, at most {limit}");
    }
}

/// A page ends where its bodies would be too large together, but is never empty for that.
async fn a_page_is_bounded_in_bytes_and_attachments(store: &dyn Store) {
    let attached = |n: u64| {
        let body = Body::from_raw("[]".into(), vec![Bytes::from_static(b"12345678")]);
        Draft { body, ..numbered("lobby", n) }
    };
    commit(store, (1..=5).map(attached).collect()).await;
    let (before, after) = (|n| Range::Before(seq(n)), |n| Range::After(seq(n)));
    let numbers = async |range, bytes, attachments| {
        let limit = PageLimit { messages: 10, bytes, attachments };
        let page = store.page(&room("lobby"), range, limit).await.unwrap();
        let found: Vec<_> = page.messages.iter().map(|message| message.seq.as_raw()).collect();
        (found, page.more)
    };
    assert_eq!(numbers(after(0), 30, 10).await, (vec![1, 2, 3], true));
    assert_eq!(numbers(after(2), 30, 10).await, (vec![3, 4, 5], false));
    assert_eq!(numbers(Range::Newest, 1000, 2).await, (vec![4, 5], true));
    assert_eq!(numbers(before(4), 1000, 2).await, (vec![2, 3], true));
    assert_eq!(numbers(after(0), 0, 0).await, (vec![1], true));
    assert_eq!(numbers(after(4), 0, 0).await, (vec![5], false));
}

async fn many_places_in_a_batch_are_kept_apart(store: &dyn Store) {
    let drafts = |round: u64| {
        let of =
            |n: u64| [numbered(&format!("room-{n}"), round), numbered("lobby", round << 32 | n)];
        (0..300).flat_map(of).collect()
    };
    commit(store, drafts(1)).await;
    let outcomes = commit(store, drafts(2)).await;
    let in_rooms: Vec<_> = outcomes.iter().step_by(2).collect();
    assert!(in_rooms.iter().all(|outcome| **outcome == Outcome::Stored(seq(2))));
    let in_lobby: Vec<_> = outcomes.iter().skip(1).step_by(2).copied().collect();
    let expected: Vec<_> = (301..=600).map(|n| Outcome::Stored(seq(n))).collect();
    assert_eq!(in_lobby, expected);
    for n in [0, 1, 255, 256, 299] {
        let place = room(&format!("room-{n}"));
        assert_eq!(log(store, &place).await.len(), 2);
        assert_eq!(head(store, &place).await, seq(2));
    }
}

async fn a_big_batch_is_stored_whole(store: &dyn Store) {
    let drafts: Vec<_> = (1..=2000).map(|n| numbered("lobby", n)).collect();
    let expected: Vec<_> = (1..=2000).map(|n| Outcome::Stored(seq(n))).collect();
    assert_eq!(commit(store, drafts.clone()).await, expected);
    let expected: Vec<_> = (1..).zip(drafts.clone()).map(|(n, draft)| stored(draft, n)).collect();
    assert_eq!(log(store, &room("lobby")).await, expected);
    let again = |n| Outcome::Duplicate { seq: seq(n), at: time(n) };
    let expected: Vec<_> = (1..=2000).map(again).collect();
    assert_eq!(commit(store, drafts).await, expected);
}

async fn reads_and_commits_may_come_at_the_same_time(store: &dyn Store) {
    let write = async |room: &str| {
        for n in 0..20 {
            let drafts: Vec<_> = (1..=7).map(|it| numbered(room, n * 7 + it)).collect();
            commit(store, drafts).await;
            assert_eq!(page(store, &self::room(room), Range::Newest, 1).await.len(), 1);
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
            assert!((1..).zip(&log).all(|(n, message)| message.seq == seq(n)));
            length = log.len();
            tokio::task::yield_now().await;
        }
    };
    let writers = ["a", "b", "c"].map(write);
    let readers = ["a", "b", "c", "a", "b", "c"].map(read);
    tokio::join!(join_all(writers), join_all(readers));
}

async fn store_is_closed(store: &dyn Store) {
    commit(store, vec![draft("lobby", "1", "0")]).await;
    store.close().await;
}
