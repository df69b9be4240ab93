//! Lists: the members of a place, the rooms of a space.

use super::*;
use crate::chat::ports::{MemberRow, RoomRow};

pub(super) async fn members_are_paged_by_name(store: &dyn Store) {
    let names = ["\u{e9}mile", "bob", "ann", "Zoe", "eve"];
    let assign = |name| change("lobby", name, MemberChange::Assign(Role::Reader));
    apply_changes(store, names.map(assign).to_vec()).await;
    let changes = [("bob", Role::Owner), ("dan", Role::Member), ("eve", Role::Admin)];
    let assign = |(name, role)| change("lobby", name, MemberChange::Assign(role));
    apply_changes(store, changes.map(assign).to_vec()).await;
    apply_changes(store, vec![change("lobby", "dan", MemberChange::Leave)]).await;
    apply_changes(store, vec![change("other", "fay", JOIN)]).await;
    let page = async |after: Option<&str>, count_max| {
        let after = after.map(user);
        let page = store.members(&room("lobby"), after.as_ref(), count_max).await.unwrap();
        let member = |it: MemberRow| format!("{} {}", it.user, it.role.as_raw());
        page.into_iter().map(member).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(
        page(None, 9).await,
        "Zoe reader, ann reader, bob owner, eve admin, \u{e9}mile reader"
    );
    assert_eq!(page(None, 2).await, "Zoe reader, ann reader");
    assert_eq!(page(Some("ann"), 2).await, "bob owner, eve admin");
    assert_eq!(page(Some("eva"), 9).await, "eve admin, \u{e9}mile reader", "no member of the name");
    assert_eq!(page(Some("\u{e9}mile"), 9).await, "");
    assert_eq!(store.members(&room("nowhere"), None, 9).await.unwrap(), []);
}

pub(super) async fn members_are_listed_with_the_time_of_their_join(store: &dyn Store) {
    let at = |second, changes: &[(&str, MemberChange)]| {
        let changes = changes.iter().map(|(name, what)| change("lobby", name, *what)).collect();
        Batch { changes, changed_at: second, ..Batch::default() }
    };
    let list = async || {
        let members = store.members(&room("lobby"), None, 9).await.unwrap();
        let times = members.into_iter().map(|it| (it.user.to_string(), it.joined_at));
        times.collect::<Vec<_>>()
    };
    let listed = |name: &str, at: Option<OffsetDateTime>| (name.to_owned(), at);
    let fine = Some(time(3) + Duration::new(0, 1_999_999));
    store.commit(at(None, &[("ann", JOIN), ("bob", JOIN)]).into()).await.unwrap();
    store.commit(at(fine, &[("cas", MemberChange::Assign(Role::Reader))]).into()).await.unwrap();
    let kept = listed("cas", Some(time(3) + Duration::milliseconds(1)));
    assert_eq!(list().await, [listed("ann", None), listed("bob", None), kept.clone()]);
    let changed = [
        ("ann", MemberChange::Leave),
        ("ann", JOIN),
        ("bob", JOIN),
        ("bob", MemberChange::Mute(Muted::Yes)),
        ("cas", MemberChange::Assign(Role::Admin)),
    ];
    store.commit(at(Some(time(5)), &changed).into()).await.unwrap();
    let expected = [listed("ann", Some(time(5))), listed("bob", None), kept];
    assert_eq!(list().await, expected, "only a new membership has the time");
}

pub(super) async fn members_are_listed_with_their_present_display_names(store: &dyn Store) {
    let seen = |space: &str, user: &str, name: Option<&str>| UserSeen {
        display_name: name.map(DisplayName::from_raw),
        identity_kind: IdentityKind::Registered,
        ..guest(&Space::from_raw(space), user)
    };
    for (space, user, name) in [
        ("/", "ann", Some("Before")),
        ("/", "ann", Some("Ann \"Lee\" 😀")),
        ("/", "cas", None),
        ("/shop", "cas", Some("In the shop")),
        ("/", "dan", Some("Of another room")),
    ] {
        record_seen(store, seen(space, user, name)).await;
    }
    let join = |name| change("lobby", name, JOIN);
    apply_changes(store, ["ann", "bob", "cas"].map(join).to_vec()).await;
    apply_changes(store, vec![change("other", "dan", JOIN)]).await;
    let members = store.members(&room("lobby"), None, 9).await.unwrap();
    let names =
        members.iter().map(|it| (it.user.as_raw(), it.name.as_ref().map(DisplayName::as_raw)));
    let expected = [("ann", Some("Ann \"Lee\" 😀")), ("bob", None), ("cas", None)];
    assert_eq!(names.collect::<Vec<_>>(), expected, "also of users who never connected");
}

pub(super) async fn rooms_are_paged_by_name(store: &dyn Store) {
    apply_changes(store, vec![change("b", "ann", JOIN), change("left", "ann", JOIN)]).await;
    apply_changes(store, vec![change("left", "ann", MemberChange::Leave)]).await;
    commit(store, vec![numbered("a", 1), numbered("\u{e9}", 2), numbered("trimmed", 3)]).await;
    let in_other_space = Place::room(&Space::from_raw("/shop"), &RoomName::from_raw("a"));
    let in_shop = Draft { place: in_other_space, ..numbered("", 4) };
    let to_bob = Draft { place: direct("/", "ann", "bob"), ..numbered("", 5) };
    commit(store, vec![in_shop, to_bob, Draft { place: inbox("ann"), ..numbered("", 6) }]).await;
    // Some engines keep new messages apart from others: these are the newest.
    commit(store, vec![numbered("a", 7), numbered("a", 8), numbered("Z", 9)]).await;
    let page = async |after: Option<&str>, count_max| {
        let after = after.map(RoomName::from_raw);
        let page = store.rooms(&Space::root(), after.as_ref(), count_max).await.unwrap();
        let room = |RoomRow { room, log, topic: _ }| {
            format!("{room} {} {}", log.head.seq.as_raw(), log.members)
        };
        page.into_iter().map(room).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(page(None, 9).await, "Z 1 0, a 3 0, b 0 1, trimmed 1 0, \u{e9} 1 0");
    assert_eq!(page(Some("Z"), 2).await, "a 3 0, b 0 1");
    assert_eq!(page(Some("aa"), 1).await, "b 0 1", "no room of the name");
    assert_eq!(page(Some("\u{e9}"), 9).await, "");
    for RoomRow { room, log, topic: _ } in store.rooms(&Space::root(), None, 9).await.unwrap() {
        assert_eq!(store.log(&Place::room(&Space::root(), &room)).await.unwrap(), log);
    }
    let all = TrimLimits { entries_max: Some(0), entries_after: None, guests_after: time(0) };
    while store.trim(&all, None).await.unwrap().more {}
    assert_eq!(page(None, 9).await, "b 0 1", "the others are empty");
}
