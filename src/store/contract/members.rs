//! Read positions, and the memberships that a user receives on connection.

use super::*;

fn reading(n: u64) -> Change {
    change("lobby", "ann", MemberChange::Read(seq(n)))
}

pub(super) async fn a_read_position_only_moves_forward_and_to_the_head(store: &dyn Store) {
    apply_changes(store, vec![change("lobby", "ann", JOIN), change("lobby", "bob", JOIN)]).await;
    commit(store, (1..=5).map(|n| numbered("lobby", n)).collect()).await;
    for (to, expected) in [(2, 2), (1, 2), (0, 2), (4, 4), (3, 4), (99, 5), (u64::MAX, 5), (4, 5)] {
        let [ref changed] = apply_changes(store, vec![reading(to)]).await[..] else { panic!() };
        assert_eq!(changed.after.unwrap().read, nth(expected), "to {to}");
        assert_eq!(read(store, &room("lobby"), "ann").await, nth(expected), "to {to}");
    }
    assert_eq!(read(store, &room("lobby"), "bob").await, Position::ZERO, "positions are per user");
    let drafts = vec![numbered("lobby", 6)];
    let changes = vec![reading(6)];
    store.commit(Batch { changes, drafts, ..Batch::default() }.into()).await.unwrap();
    assert_eq!(read(store, &room("lobby"), "ann").await, nth(5), "later messages are unread");
}

pub(super) async fn a_read_pointer_counts_messages_and_not_changes(store: &dyn Store) {
    apply_changes(store, vec![change("lobby", "ann", JOIN)]).await;
    let drafts = vec![
        numbered("lobby", 1),
        edit("lobby", 1, "0"),
        numbered("lobby", 3),
        delete("lobby", 1),
        numbered("lobby", 5),
        edit("lobby", 3, "0"),
    ];
    commit(store, drafts).await;
    let expected = [(2, at(2, 1), 2), (3, at(3, 2), 1), (4, at(4, 2), 1), (9, at(6, 3), 0)];
    for (to, read, unread) in expected {
        let [ref changed] = apply_changes(store, vec![reading(to)]).await[..] else { panic!() };
        assert_eq!((changed.after.unwrap().read, changed.unread()), (read, unread), "to {to}");
    }
}

/// The unread messages of Ann in the lobby, by her memberships.
async fn unread_of_ann(store: &dyn Store) -> u64 {
    let lobby = memberships(store, "ann").await.into_iter().find(|it| it.place == room("lobby"));
    lobby.map_or(0, |it| it.log.unread(it.member.read, it.deleted))
}

pub(super) async fn deleted_messages_are_not_unread(store: &dyn Store) {
    apply_changes(store, vec![change("lobby", "ann", JOIN)]).await;
    commit(store, (1..=5).map(|n| numbered("lobby", n)).collect()).await;
    let drafts = vec![delete("lobby", 2), delete("lobby", 2), edit("lobby", 3, "0")];
    commit(store, drafts).await;
    commit(store, vec![delete("lobby", 2), delete("lobby", 4)]).await;
    assert_eq!(log_state(store, &room("lobby")).await.deleted, 2, "2 was deleted once");
    assert_eq!(unread_of_ann(store).await, 3);
    for (to, unread) in [(1, 2), (2, 2), (3, 1), (4, 1), (2, 1), (5, 0), (99, 0)] {
        let [ref changed] = apply_changes(store, vec![reading(to)]).await[..] else { panic!() };
        assert_eq!((changed.unread(), unread_of_ann(store).await), (unread, unread), "to {to}");
    }
    commit(store, vec![delete("lobby", 1), numbered("lobby", 6), delete("lobby", 5)]).await;
    assert_eq!(unread_of_ann(store).await, 1, "deleted messages were read");
    commit(store, vec![delete("lobby", 10), numbered("lobby", 7)]).await;
    assert_eq!(unread_of_ann(store).await, 1);
}

pub(super) async fn changes_of_a_batch_count_deleted_messages(store: &dyn Store) {
    apply_changes(store, vec![change("lobby", "ann", JOIN)]).await;
    commit(store, (1..=5).map(|n| numbered("lobby", n)).collect()).await;
    commit(store, vec![delete("lobby", 2), delete("lobby", 4)]).await;
    let changes = vec![
        change("lobby", "ann", MemberChange::Mute(Muted::Yes)),
        reading(3),
        reading(1),
        change("lobby", "ann", MemberChange::Mute(Muted::No)),
        change("lobby", "ann", MemberChange::Leave),
        change("lobby", "ann", JOIN),
        reading(1),
    ];
    let results = apply_changes(store, changes).await;
    let unread: Vec<_> = results.iter().map(|it| (it.unread(), it.deleted)).collect();
    assert_eq!(unread, [(3, 2), (1, 1), (1, 1), (1, 1), (0, 0), (0, 0), (0, 0)]);
}

/// A member that joined after one entry and has read up to another.
fn member_since(joined: Seq, read: Position) -> Member {
    Member { joined, ..Member::new(Role::Member, read) }
}

pub(super) async fn muted_is_kept(store: &dyn Store) {
    let mute = |muted| vec![change("lobby", "ann", MemberChange::Mute(muted))];
    apply_changes(store, vec![change("lobby", "ann", JOIN)]).await;
    apply_changes(store, mute(Muted::Yes)).await;
    apply_changes(store, vec![change("lobby", "ann", JOIN), reading(1)]).await;
    commit(store, vec![Draft { author: user("ann"), ..numbered("lobby", 1) }]).await;
    let muted = Member { muted: Muted::Yes, ..member_since(Seq::ZERO, nth(1)) };
    assert_eq!(member(store, &room("lobby"), "ann").await, Some(muted));
    let [ref changed] = apply_changes(store, mute(Muted::No)).await[..] else { panic!() };
    assert_eq!(changed.before, Some(muted));
    assert_eq!(changed.after, Some(Member { muted: Muted::No, ..muted }));
}

pub(super) async fn read_and_mute_do_nothing_for_non_members(store: &dyn Store) {
    commit(store, vec![numbered("lobby", 1)]).await;
    let mute = change("lobby", "ann", MemberChange::Mute(Muted::Yes));
    for changed in apply_changes(store, vec![reading(1), mute]).await {
        assert_eq!((changed.before, changed.after), (None, None));
        assert_eq!(changed.log, Log { head: nth(1), ..Log::default() });
    }
    let other_place = Change { place: room("never"), ..reading(1) };
    assert_eq!(apply_changes(store, vec![other_place]).await[0].log, Log::default());
    assert_eq!(member(store, &room("lobby"), "author").await, None, "posting does not join");
}

pub(super) async fn authors_have_read_their_own_messages(store: &dyn Store) {
    let by = |name: &str, n| Draft { author: user(name), ..numbered("lobby", n) };
    apply_changes(store, ["ann", "bob"].map(|name| change("lobby", name, JOIN)).into()).await;
    commit(store, vec![by("cleo", 1), by("ann", 2), by("cleo", 3), by("ann", 4), by("cleo", 5)])
        .await;
    assert_eq!(read(store, &room("lobby"), "ann").await, nth(4));
    assert_eq!(read(store, &room("lobby"), "bob").await, Position::ZERO);
    let edit = Draft { author: user("ann"), ..edit("lobby", 2, "0") };
    let delete = Draft { author: user("ann"), ..delete("lobby", 2) };
    commit(store, vec![edit, delete]).await;
    assert_eq!(read(store, &room("lobby"), "ann").await, nth(4), "changes do not move it");
    commit(store, vec![by("ann", 2), by("bob", 6), by("ann", 4)]).await;
    assert_eq!(read(store, &room("lobby"), "ann").await, nth(4), "nor do repeats");
    assert_eq!(read(store, &room("lobby"), "bob").await, at(8, 6));
    apply_changes(store, vec![reading(99)]).await;
    assert_eq!(read(store, &room("lobby"), "ann").await, at(8, 6));
}

pub(super) async fn a_direct_message_makes_both_members(store: &dyn Store) {
    let place = direct("/", "ann", "bob");
    let says = |name: &str, id: u64| Draft {
        place: place.clone(),
        author: user(name),
        ..numbered("", id)
    };
    commit(store, vec![says("bob", 1)]).await;
    let new = |read| Some(member_since(Seq::ZERO, read));
    assert_eq!(member(store, &place, "ann").await, new(Position::ZERO), "it is unread");
    assert_eq!(member(store, &place, "bob").await, new(nth(1)));
    assert_eq!(log_state(store, &place).await.members, 2);
    commit(store, vec![says("bob", 2), says("ann", 3), says("bob", 4)]).await;
    assert_eq!(member(store, &place, "ann").await, new(nth(3)));
    let leave = Change { place: place.clone(), ..change("", "ann", MemberChange::Leave) };
    apply_changes(store, vec![leave]).await;
    commit(store, vec![says("bob", 2), says("bob", 5), says("bob", 6)]).await;
    let again = Some(member_since(seq(4), nth(4)));
    assert_eq!(member(store, &place, "ann").await, again, "from here on");
    assert_eq!(log_state(store, &place).await.members, 2);

    let alone = direct("/", "ann", "ann");
    let says = |id| Draft { place: alone.clone(), author: user("ann"), ..numbered("", id) };
    commit(store, vec![says(1), says(2)]).await;
    assert_eq!(member(store, &alone, "ann").await, new(nth(2)));
    assert_eq!(log_state(store, &alone).await.members, 1);
    let rejected = Draft { place: direct("/", "ann", "cleo"), ..edit("", 1, "0") };
    commit(store, vec![rejected]).await;
    assert_eq!(member(store, &direct("/", "ann", "cleo"), "cleo").await, None);
}

pub(super) async fn a_notification_makes_its_reader_a_member(store: &dyn Store) {
    let tells = |name: &str, n| {
        let draft = Draft { place: inbox("ann"), author: user(name), ..numbered("", n) };
        with_kind(draft, MessageKind::Notification)
    };
    let outcomes = commit(store, vec![tells("root", 1), tells("root", 2)]).await;
    assert_eq!(outcomes, [1, 2].map(|n| Outcome::Stored(nth(n))));
    let new = Member::new(Role::Member, Position::ZERO);
    assert_eq!(member(store, &inbox("ann"), "ann").await, Some(new));
    assert_eq!(member(store, &inbox("ann"), "root").await, None);
    assert_eq!(log_state(store, &inbox("ann")).await.members, 1);
    let expected = [stored(tells("root", 1), 1), stored(tells("root", 2), 2)];
    assert_eq!(log(store, &inbox("ann")).await, expected);
    commit(store, vec![tells("ann", 3)]).await;
    assert_eq!(read(store, &inbox("ann"), "ann").await, Position::ZERO, "her own notification");
    assert_eq!(head(store, &inbox("Ann")).await, Seq::ZERO);
}

pub(super) async fn memberships_are_those_after_the_batch(store: &dyn Store) {
    commit(store, vec![numbered("b", 1)]).await;
    apply_changes(store, vec![change("a", "ann", JOIN), change("a", "bob", JOIN)]).await;
    let (place, root) = (direct("/", "ann", "bob"), Space::root());
    let batch = Batch {
        changes: vec![change("b", "ann", JOIN), change("a", "bob", MemberChange::Leave)],
        drafts: vec![
            numbered("a", 1),
            Draft { place: place.clone(), author: user("bob"), ..numbered("", 2) },
            numbered("b", 2),
        ],
        membership_queries: ["ann", "unknown", "bob", "ann"]
            .map(|name| (root.clone(), user(name)))
            .into(),
        ..Batch::default()
    };
    let mut memberships = store.commit(batch.into()).await.unwrap().memberships;
    for of_user in &mut memberships {
        of_user.sort_by(|one, other| one.place.cmp(&other.place));
        for found in of_user {
            assert_eq!(found.log, log_state(store, &found.place).await);
        }
    }
    let short = |n: usize| -> Vec<_> {
        memberships[n].iter().map(|it| (it.place.clone(), it.member.read)).collect()
    };
    let of_ann =
        [(room("a"), Position::ZERO), (room("b"), nth(1)), (place.clone(), Position::ZERO)];
    assert_eq!(short(0), of_ann);
    assert_eq!(short(1), []);
    assert_eq!(short(2), [(place, nth(1))]);
    assert_eq!(memberships[0], memberships[3], "one answer for each");
}

pub(super) async fn a_notification_is_unread_also_for_its_author(store: &dyn Store) {
    let own = Draft { place: inbox("ann"), author: user("ann"), ..numbered("", 1) };
    commit(store, vec![own]).await;
    assert_eq!(read(store, &inbox("ann"), "ann").await, Position::ZERO, "the first");
    let own = |n| Draft { place: inbox("ann"), author: user("ann"), ..numbered("", n) };
    let changes = vec![Change { place: inbox("ann"), ..reading(1) }];
    store.commit(Batch { changes, drafts: vec![own(2)], ..Batch::default() }.into()).await.unwrap();
    assert_eq!(read(store, &inbox("ann"), "ann").await, nth(1), "a later one");
}

pub(super) async fn the_directs_that_are_listed_are_the_last_ones(store: &dyn Store) {
    let count = u64::try_from(DIRECTS_LISTED_MAX).unwrap() + 3;
    let place = |n: u64| direct("/", "ann", &format!("bob {n}"));
    let says = |n: u64, id: u64| Draft { place: place(n), at: time(id), ..numbered("", id) };
    commit(store, (1..=count).map(|n| says(n, n)).collect()).await;
    // The first conversation has a message after all; in the next one, there is only a change.
    let edit = Draft { place: place(2), at: time(2000), ..edit("", 1, "0") };
    commit(store, vec![says(1, 1000), edit]).await;
    let joins = |place| Change { place, ..change("", "ann", JOIN) };
    let silent = direct("/", "ann", "zoe");
    apply_changes(store, vec![joins(room("a")), joins(silent), joins(inbox("ann"))]).await;
    let found = memberships(store, "ann").await;
    let directs: Vec<_> = found.iter().map(|it| &it.place).filter(|it| **it != room("a")).collect();
    let expected: Vec<_> = [1].into_iter().chain((5..=count).rev()).map(place).collect();
    assert_eq!(directs, expected.iter().collect::<Vec<_>>());
    assert_eq!(found.len(), DIRECTS_LISTED_MAX + 1, "and the room; an inbox only once it is used");
    commit(store, vec![Draft { place: inbox("ann"), ..numbered("", 1) }]).await;
    assert_eq!(memberships(store, "ann").await.len(), DIRECTS_LISTED_MAX + 2);
}

pub(super) async fn memberships_are_of_one_user_in_one_space(store: &dyn Store) {
    let shop = Space::from_raw("/shop");
    let other_place = Place { space: shop.clone(), ..room("a") };
    let joins = |place, name| Change { place, ..change("", name, JOIN) };
    let changes =
        vec![joins(room("a"), "ann"), joins(other_place.clone(), "ann"), joins(room("b"), "Ann")];
    let membership_queries = vec![(Space::root(), user("ann")), (shop, user("ann"))];
    let batch = Batch { changes, membership_queries, ..Batch::default() };
    let memberships = store.commit(batch.into()).await.unwrap().memberships;
    let places: Vec<Vec<_>> =
        memberships.iter().map(|it| it.iter().map(|it| it.place.clone()).collect()).collect();
    assert_eq!(places, [[room("a")], [other_place]]);
}
