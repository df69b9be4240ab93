//! Topics of rooms.

use super::*;

async fn topic_of(store: &dyn Store, name: &str) -> Option<String> {
    store.topic(&room(name)).await.unwrap().map(|it| it.to_string())
}

pub(super) async fn a_topic_is_an_entry_and_no_message(store: &dyn Store) {
    assert_eq!(topic_of(store, "lobby").await, None);
    let drafts = vec![
        numbered("lobby", 1),
        topic("lobby", "Plans"),
        numbered("lobby", 2),
        topic("lobby", "Ψ 👩🏽‍🚀 \" \\"),
        topic("lobby", ""),
    ];
    let positions = [at(1, 1), at(2, 1), at(3, 2), at(4, 2), at(5, 2)];
    assert_eq!(commit(store, drafts.clone()).await, positions.map(Outcome::Stored));
    let found = log(store, &room("lobby")).await;
    for ((entry, draft), position) in found.iter().zip(drafts).zip(positions) {
        assert_eq!(*entry, Entry { position, ..stored(draft, 0) });
    }
    assert_eq!(found.len(), 5);
    assert_eq!(store.message(&room("lobby"), seq(2)).await.unwrap(), None, "it is no message");
    assert_eq!(topic_of(store, "lobby").await, None);
    let changes = vec![edit("lobby", 0, "x"), edit("lobby", 2, "x"), delete("lobby", 2)];
    assert_eq!(commit(store, changes).await, [Outcome::NoMessage; 3]);
}

pub(super) async fn a_topic_that_the_room_has_is_not_stored_again(store: &dyn Store) {
    let nothing = commit(store, vec![topic("lobby", "")]).await;
    assert_eq!(nothing, [Outcome::Duplicate { seq: seq(0), at: time(1) }]);
    let drafts = ["a", "a", "b", "b", "a"].map(|it| topic("lobby", it)).to_vec();
    let [first, second, third] = [1, 2, 3].map(|n| Outcome::Stored(at(n, 0)));
    let again = |n| Outcome::Duplicate { seq: seq(n), at: time(1) };
    assert_eq!(commit(store, drafts).await, [first, again(1), second, again(2), third]);
    assert_eq!(commit(store, vec![topic("lobby", "a")]).await, [again(3)]);
    commit(store, vec![numbered("lobby", 1)]).await;
    let other = topic("other", "a");
    let outcomes = commit(store, vec![topic("lobby", "a"), other, topic("lobby", "c")]).await;
    assert_eq!(outcomes, [again(4), Outcome::Stored(at(1, 0)), Outcome::Stored(at(5, 1))]);
    assert_eq!(topic_of(store, "lobby").await.as_deref(), Some("c"));
    assert_eq!(topic_of(store, "other").await.as_deref(), Some("a"));
}

pub(super) async fn a_topic_outlives_its_entry(store: &dyn Store) {
    apply_changes(store, vec![change("lobby", "ann", JOIN)]).await;
    commit(store, vec![topic("lobby", "Plans"), numbered("lobby", 1)]).await;
    let all = TrimLimits { entries_max: Some(0), entries_after: None, guests_after: time(0) };
    trim(store, &all).await;
    assert_eq!(log(store, &room("lobby")).await, []);
    assert_eq!(topic_of(store, "lobby").await.as_deref(), Some("Plans"));
}

pub(super) async fn members_and_lists_see_the_topic(store: &dyn Store) {
    let joined = apply_changes(store, vec![change("lobby", "ann", JOIN)]).await;
    assert_eq!(joined[0].topic, None);
    let plans = RoomTopic::from_raw("Plans");
    let batch = Batch {
        changes: vec![change("lobby", "bob", JOIN), change("other", "ann", JOIN)],
        drafts: vec![topic("lobby", "Plans")],
        membership_queries: vec![(Space::root(), user("bob"))],
        ..Batch::default()
    };
    let committed = store.commit(batch.into()).await.unwrap();
    assert_eq!(committed.changed[0].topic, None, "before the drafts of the batch");
    assert_eq!(committed.memberships[0][0].topic, plans, "after them");
    let changes = vec![
        change("lobby", "cas", JOIN),
        change("lobby", "bob", MemberChange::Assign(Role::Admin)),
        change("lobby", "bob", MemberChange::Leave),
        change("other", "cas", JOIN),
    ];
    let results = apply_changes(store, changes).await;
    let topics: Vec<_> = results.into_iter().map(|it| it.topic).collect();
    assert_eq!(topics, [plans.clone(), plans.clone(), None, None]);
    let of_ann = memberships(store, "ann").await;
    let of_lobby = of_ann.iter().find(|it| it.place == room("lobby")).unwrap();
    assert_eq!(of_lobby.topic, plans);
    assert_eq!(of_ann.iter().filter(|it| it.topic.is_some()).count(), 1);
    // Some engines keep new messages apart from others.
    commit(store, vec![numbered("lobby", 1), numbered("new", 2)]).await;
    let listed = store.rooms(&Space::root(), None, 9).await.unwrap();
    let listed: Vec<_> = listed.into_iter().map(|it| (it.room.to_string(), it.topic)).collect();
    let none = |room: &str| (room.to_owned(), None);
    assert_eq!(listed, [("lobby".to_owned(), plans), none("new"), none("other")]);
}

pub(super) async fn a_role_is_needed_for_a_topic(store: &dyn Store) {
    let roles = [("ann", Role::Owner), ("bob", Role::Admin), ("cas", Role::Member)];
    let assign = |(name, role)| change("lobby", name, MemberChange::Assign(role));
    apply_changes(store, roles.map(assign).to_vec()).await;
    let by =
        |name, text| Draft { author: user(name), needs: Some(Role::Admin), ..topic("lobby", text) };
    let drafts = vec![by("ann", "a"), by("cas", "c"), by("dan", "d"), by("bob", "b")];
    let refused = |role| Outcome::NotPermitted(role);
    let stored = |n| Outcome::Stored(at(n, 0));
    let expected = [stored(1), refused(Some(Role::Member)), refused(None), stored(2)];
    assert_eq!(commit(store, drafts).await, expected);
    assert_eq!(topic_of(store, "lobby").await.as_deref(), Some("b"));
    let same = commit(store, vec![by("cas", "b")]).await;
    assert_eq!(same, [refused(Some(Role::Member))], "also for the topic that it has");
}

pub(super) async fn an_erased_room_has_no_topic(store: &dyn Store) {
    apply_changes(store, vec![change("lobby", "ann", JOIN)]).await;
    commit(store, vec![topic("lobby", "Plans"), numbered("lobby", 1)]).await;
    while store.erase(&room("lobby"), seq(9)).await.unwrap().more {}
    assert_eq!(topic_of(store, "lobby").await.as_deref(), Some("Plans"), "it has a member");
    commit(store, vec![numbered("lobby", 2)]).await;
    apply_changes(store, vec![change("lobby", "ann", MemberChange::Leave)]).await;
    assert_eq!(topic_of(store, "lobby").await.as_deref(), Some("Plans"), "it has an entry");
    while store.erase(&room("lobby"), seq(9)).await.unwrap().more {}
    assert_eq!(topic_of(store, "lobby").await, None);
}

pub(super) async fn a_room_that_nobody_uses_has_no_topic(store: &dyn Store) {
    let all = TrimLimits { entries_max: Some(0), entries_after: None, guests_after: time(0) };
    apply_changes(store, vec![change("left", "ann", JOIN)]).await;
    commit(store, vec![topic("left", "Plans"), topic("trimmed", "Plans")]).await;
    trim(store, &all).await;
    assert_eq!(topic_of(store, "trimmed").await, None, "it has no member");
    let last = vec![change("left", "ann", MemberChange::Leave)];
    let drafts = vec![topic("left", "Plans")];
    let batch = Batch { changes: last, drafts, ..Batch::default() };
    let outcomes = store.commit(batch.into()).await.unwrap().outcomes;
    assert_eq!(outcomes, [Outcome::Stored(at(2, 0))], "it is new for those who left");
    trim(store, &all).await;
    let again = apply_changes(store, vec![change("left", "bob", JOIN)]).await;
    assert_eq!((again[0].topic.clone(), topic_of(store, "left").await), (None, None));
}
