//! Members and their roles.

use super::*;

const OWNER_OR_READER: MemberChange = MemberChange::Join(JoinMode::OwnerIfFirst(Role::Reader));
const FOUND: MemberChange = MemberChange::Join(JoinMode::FounderOnly);

async fn role(store: &dyn Store, room: &str, name: &str) -> Option<Role> {
    member(store, &self::room(room), name).await.map(|member| member.role)
}

pub(super) async fn a_new_member_has_read_everything_before_the_batch(store: &dyn Store) {
    commit(store, vec![numbered("lobby", 1), edit("lobby", 1, "0")]).await;
    let changes = vec![change("lobby", "ann", JOIN)];
    let drafts = vec![numbered("lobby", 3)];
    let committed =
        store.commit(Batch { changes, drafts, ..Batch::default() }.into()).await.unwrap();
    let ann = Member::new(Role::Member, at(2, 1));
    let log = Log { head: at(2, 1), members: 1, ..Log::default() };
    let [ref joined] = committed.changed[..] else { panic!("one change, one answer") };
    assert_eq!((joined.before, joined.after, joined.log), (None, Some(ann), log));
    assert_eq!(member(store, &room("lobby"), "ann").await, Some(ann));
    let log = log_state(store, &room("lobby")).await;
    assert_eq!(log, Log { head: at(3, 2), members: 1, ..Log::default() });
    assert_eq!(log.unread(ann.read, 0), 1);
}

pub(super) async fn a_join_does_not_change_an_existing_member(store: &dyn Store) {
    let [ref first] = apply_changes(store, vec![change("lobby", "ann", JOIN)]).await[..] else {
        panic!()
    };
    commit(store, vec![numbered("lobby", 1)]).await;
    for join in [OWNER_OR_READER, FOUND, MemberChange::Join(JoinMode::As(Role::Owner))] {
        let [ref again] = apply_changes(store, vec![change("lobby", "ann", join)]).await[..] else {
            panic!()
        };
        assert_eq!((again.before, again.after), (first.after, first.after));
        assert_eq!(again.log.members, 1);
    }
}

pub(super) async fn the_first_member_may_own_the_room(store: &dyn Store) {
    let changes = ["ann", "bob"].map(|name| change("lobby", name, OWNER_OR_READER));
    apply_changes(store, changes.into()).await;
    apply_changes(store, vec![change("lobby", "cleo", OWNER_OR_READER)]).await;
    assert_eq!(role(store, "lobby", "ann").await, Some(Role::Owner));
    assert_eq!(role(store, "lobby", "bob").await, Some(Role::Reader));
    assert_eq!(role(store, "lobby", "cleo").await, Some(Role::Reader));
    let leave = ["ann", "bob", "cleo"].map(|name| change("lobby", name, MemberChange::Leave));
    apply_changes(store, leave.into()).await;
    commit(store, vec![numbered("lobby", 1)]).await;
    apply_changes(store, vec![change("lobby", "bob", OWNER_OR_READER)]).await;
    assert_eq!(role(store, "lobby", "bob").await, Some(Role::Owner), "in an empty room");
}

pub(super) async fn a_room_can_be_founded_only_when_unused(store: &dyn Store) {
    let found = |room: &str, name: &str| change(room, name, FOUND);
    let changed = apply_changes(store, vec![found("new", "ann"), found("new", "bob")]).await;
    let roles: Vec<_> = changed.iter().map(|it| it.after.map(|it| it.role)).collect();
    assert_eq!(roles, [Some(Role::Owner), None]);
    assert_eq!(changed[1].log.members, 1);
    commit(store, vec![numbered("used", 1)]).await;
    apply_changes(store, vec![change("taken", "bob", JOIN)]).await;
    apply_changes(store, vec![found("used", "ann"), found("taken", "ann")]).await;
    assert_eq!(role(store, "used", "ann").await, None, "the room has a message");
    assert_eq!(role(store, "taken", "ann").await, None, "the room has a member");
    apply_changes(store, vec![change("taken", "bob", MemberChange::Leave), found("taken", "ann")])
        .await;
    assert_eq!(role(store, "taken", "ann").await, Some(Role::Owner));
}

pub(super) async fn a_role_is_given_to_members_and_others(store: &dyn Store) {
    let assign = |role| change("lobby", "ann", MemberChange::Assign(role));
    commit(store, vec![numbered("lobby", 1)]).await;
    apply_changes(store, vec![assign(Role::Reader)]).await;
    let reader = Member::new(Role::Reader, nth(1));
    assert_eq!(member(store, &room("lobby"), "ann").await, Some(reader));
    apply_changes(store, vec![change("lobby", "ann", MemberChange::Mute(Muted::Yes))]).await;
    commit(store, vec![numbered("lobby", 2)]).await;
    let [ref changed] = apply_changes(store, vec![assign(Role::Admin)]).await[..] else { panic!() };
    let muted = Member { muted: Muted::Yes, ..reader };
    assert_eq!(changed.before, Some(muted));
    assert_eq!(changed.after, Some(Member { role: Role::Admin, ..muted }), "and nothing else");
    assert_eq!(member(store, &room("lobby"), "ann").await, changed.after);
    for role in Role::ALL {
        apply_changes(store, vec![assign(role)]).await;
        assert_eq!(self::role(store, "lobby", "ann").await, Some(role));
    }
}

pub(super) async fn changes_of_a_batch_apply_in_order(store: &dyn Store) {
    commit(store, vec![numbered("lobby", 1), numbered("lobby", 2)]).await;
    apply_changes(store, vec![change("lobby", "bob", JOIN)]).await;
    let changes = vec![
        change("lobby", "ann", OWNER_OR_READER),
        change("lobby", "ann", MemberChange::Assign(Role::Admin)),
        change("lobby", "bob", MemberChange::Leave),
        change("lobby", "ann", MemberChange::Mute(Muted::Yes)),
        change("other", "ann", OWNER_OR_READER),
        change("lobby", "ann", MemberChange::Leave),
        change("lobby", "ann", MemberChange::Read(seq(1))),
        change("lobby", "ann", OWNER_OR_READER),
    ];
    let done = apply_changes(store, changes).await;
    let members: Vec<_> = done.iter().map(|it| it.log.members).collect();
    assert_eq!(members, [2, 2, 1, 1, 1, 0, 0, 1]);
    let roles: Vec<_> = done.iter().map(|it| it.after.map(|it| it.role)).collect();
    let (owner, reader, admin) = (Some(Role::Owner), Some(Role::Reader), Some(Role::Admin));
    assert_eq!(roles, [reader, admin, None, admin, owner, None, None, owner]);
    for (before, after) in [(0, 1), (1, 3), (3, 5), (5, 6), (6, 7)] {
        assert_eq!(done[before].after, done[after].before);
    }
    assert_eq!(done[3].after.unwrap().muted, Muted::Yes);
    assert_eq!(done[7].after, Some(Member::new(Role::Owner, nth(2))), "as a new member");
    assert_eq!(member(store, &room("lobby"), "ann").await, done[7].after);
    assert_eq!(member(store, &room("lobby"), "bob").await, None);
    assert_eq!(log_state(store, &room("lobby")).await.members, 1);
}

pub(super) async fn a_leave_ends_the_membership(store: &dyn Store) {
    apply_changes(store, ["ann", "bob"].map(|name| change("lobby", name, JOIN)).into()).await;
    let leave = || vec![change("lobby", "ann", MemberChange::Leave)];
    let [ref changed] = apply_changes(store, leave()).await[..] else { panic!() };
    assert_eq!((changed.before.is_some(), changed.after), (true, None));
    assert_eq!(changed.log.members, 1);
    assert_eq!(member(store, &room("lobby"), "ann").await, None);
    let [ref again] = apply_changes(store, leave()).await[..] else { panic!() };
    assert_eq!((again.before, again.after, again.log.members), (None, None, 1));
    let nowhere = apply_changes(store, vec![change("never", "ann", MemberChange::Leave)]).await;
    assert_eq!(nowhere[0].log, Log::default());
}

pub(super) async fn the_room_limit_holds_per_user(store: &dyn Store) {
    let at_most =
        |max, room: &str, what| Change { rooms_max: Some(max), ..change(room, "ann", what) };
    let assign = MemberChange::Assign(Role::Member);
    let direct = Change { place: direct("/", "ann", "bob"), ..change("", "ann", JOIN) };
    let changes = vec![
        direct,
        at_most(2, "a", JOIN),
        at_most(1, "b", assign),
        at_most(2, "b", assign),
        at_most(2, "c", JOIN),
        at_most(2, "b", MemberChange::Assign(Role::Reader)),
        change("a", "ann", MemberChange::Leave),
        at_most(2, "c", JOIN),
    ];
    let full = Some(JoinRefusal::TooManyRooms);
    let expected = [None, None, full, None, full, None, None, None];
    let refused = async |changes| {
        apply_changes(store, changes).await.into_iter().map(|it| it.refused).collect::<Vec<_>>()
    };
    assert_eq!(refused(changes).await, expected);
    assert_eq!(refused(vec![at_most(2, "d", JOIN)]).await, [full], "nor later");
    assert_eq!(refused(vec![at_most(3, "d", JOIN)]).await, [None]);
    assert_eq!(log_state(store, &room("d")).await.members, 1);
}

pub(super) async fn many_users_join_in_one_batch(store: &dyn Store) {
    let names: Vec<_> = (0..700).map(|n| format!("user {n}")).collect();
    let root = Space::root();
    let batch = Batch {
        seen: names.iter().map(|name| guest(&root, name)).collect(),
        changes: names.iter().map(|name| change("lobby", name, JOIN)).collect(),
        membership_queries: names.iter().map(|name| (root.clone(), user(name))).collect(),
        ..Batch::default()
    };
    let committed = store.commit(batch.into()).await.unwrap();
    let members: Vec<_> = committed.changed.iter().map(|it| it.log.members).collect();
    assert_eq!(members, (1..=700).collect::<Vec<_>>());
    for of_user in &committed.memberships {
        let [membership] = &of_user[..] else { panic!("one each") };
        assert_eq!(membership.place, room("lobby"));
        assert_eq!(membership.log.members, 700);
    }
    let expired = |name: &String| GuestExpired {
        space: root.clone(),
        user: user(name),
        guest_session: "first".into(),
        from: node(),
    };
    let expired = names.iter().map(expired).collect();
    store.commit(Batch { expired, ..Batch::default() }.into()).await.unwrap();
    assert_eq!(log_state(store, &room("lobby")).await.members, 0);
}
