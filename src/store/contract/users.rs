//! Users and devices.

use super::*;

pub(super) async fn a_seen_user_exists_in_that_space(store: &dyn Store) {
    let (root, shop) = (Space::root(), Space::from_raw("/shop"));
    assert!(!user_exists(store, &root, "ann").await);
    let seen = vec![guest(&root, "ann"), guest(&root, "ann")];
    store.commit(Batch { seen, ..Batch::default() }.into()).await.unwrap();
    let seen = vec![guest(&root, "ann"), guest(&shop, "bob")];
    let drafts = vec![draft("lobby", "1", "0")];
    store.commit(Batch { seen, drafts, ..Batch::default() }.into()).await.unwrap();
    assert!(user_exists(store, &root, "ann").await);
    assert!(user_exists(store, &shop, "bob").await);
    for (space, name) in [(&shop, "ann"), (&root, "bob"), (&root, "Ann"), (&root, "author")] {
        assert!(!user_exists(store, space, name).await, "{name} in {space}");
    }
    let many = (0..600).map(|n| guest(&root, &format!("user {n}"))).collect();
    store.commit(Batch { seen: many, ..Batch::default() }.into()).await.unwrap();
    for n in [0, 255, 256, 599] {
        assert!(user_exists(store, &root, &format!("user {n}")).await);
    }
}

pub(super) async fn a_registered_name_stays_registered(store: &dyn Store) {
    let root = Space::root();
    let is_registered =
        async |name: &str| store.is_registered(&root, &user(name).key()).await.unwrap();
    record_seen(store, guest(&root, "ann")).await;
    assert!(!is_registered("ann").await);
    record_seen(store, UserSeen { identity_kind: IdentityKind::Registered, ..guest(&root, "ann") })
        .await;
    assert!(is_registered("ann").await);
    record_seen(store, guest(&root, "ann")).await;
    assert!(is_registered("ann").await, "permanently");
    assert!(is_registered("ANN").await, "and confusable names");
    assert!(!is_registered("bob").await);
    let shop = Space::from_raw("/shop");
    assert!(
        !store.is_registered(&shop, &user("ann").key()).await.unwrap(),
        "each space has its own"
    );
}

pub(super) async fn a_device_is_known_with_the_time_it_was_last_seen(store: &dyn Store) {
    let root = Space::root();
    let with = |name: &str, id: &str, n| {
        let device = Some(DeviceId::from_raw(id));
        UserSeen { device, at: time(n), ..guest(&root, name) }
    };
    let last_seen = async |name: &str, id: &str| {
        store.device_seen(&root, &user(name), &DeviceId::from_raw(id)).await.unwrap()
    };
    assert_eq!(last_seen("ann", "phone").await, None);
    record_seen(store, with("ann", "phone", 5)).await;
    record_seen(store, with("ann", "phone", 9)).await;
    record_seen(store, with("ann", "phone", 7)).await;
    record_seen(store, with("bob", "laptop", 3)).await;
    assert_eq!(last_seen("ann", "phone").await, Some(time(9)), "the latest time");
    assert_eq!(last_seen("ann", "laptop").await, None, "that one is another user's");
    assert_eq!(last_seen("bob", "laptop").await, Some(time(3)));
}

pub(super) async fn a_departure_does_not_change_the_identity(store: &dyn Store) {
    let root = Space::root();
    join_ann_to_all_places(store, IdentityKind::Registered).await;
    let device = Some(DeviceId::from_raw("phone"));
    let departed = |name, n| UserDeparted {
        space: root.clone(),
        user: user(name),
        device: device.clone(),
        at: time(n),
    };
    let departed = vec![departed("ann", 9), departed("ann", 7), departed("unknown", 5)];
    store.commit(Batch { departed, ..Batch::default() }.into()).await.unwrap();
    let users = [user("ann"), user("unknown")];
    assert_eq!(store.last_seen(&root, &users).await.unwrap(), [Some(time(9)), None]);
    let phone = DeviceId::from_raw("phone");
    assert_eq!(store.device_seen(&root, &users[0], &phone).await.unwrap(), Some(time(9)));
    assert_eq!(store.device_seen(&root, &users[1], &phone).await.unwrap(), None);
    assert!(!user_exists(store, &root, "unknown").await);
    assert!(!memberships(store, "ann").await.is_empty(), "a departure does not change the owner");
}

pub(super) async fn of_many_devices_the_last_ones_are_kept(store: &dyn Store) {
    let root = Space::root();
    let kept = u64::try_from(DEVICES_PER_USER_MAX).unwrap();
    let with = |n: u64| {
        let device = Some(DeviceId::from_raw(&n.to_string()));
        UserSeen { device, at: time(n), ..guest(&root, "ann") }
    };
    for n in 1..=kept + 2 {
        record_seen(store, with(n)).await;
    }
    let last_seen = async |n: u64| {
        let device = DeviceId::from_raw(&n.to_string());
        store.device_seen(&root, &user("ann"), &device).await.unwrap()
    };
    for n in 3..=kept + 2 {
        assert_eq!(last_seen(n).await, Some(time(n)), "{n}");
    }
}

pub(super) async fn a_display_name_is_that_of_the_last_visit(store: &dyn Store) {
    let root = Space::root();
    let seen = |name: Option<&str>| UserSeen {
        display_name: name.map(DisplayName::from_raw),
        identity_kind: IdentityKind::Registered,
        ..guest(&root, "ann")
    };
    let asked = ["unknown", "ann", "bob"].map(user);
    let names = async || store.display_names(&root, &asked).await.unwrap();
    record_seen(store, guest(&root, "bob")).await;
    assert_eq!(names().await, DisplayNames::new());
    for name in [Some("Ann"), Some("Ann \"Lee\" 😀"), None, Some("Ann")] {
        record_seen(store, seen(name)).await;
        let expected = name.map(|it| (user("ann"), DisplayName::from_raw(it)));
        assert_eq!(names().await, expected.into_iter().collect());
    }
    let (space, user, device, at) = (root.clone(), user("ann"), None, time(9));
    let departed = vec![UserDeparted { space, user, device, at }];
    let batch = Batch { departed, ..Batch::default() };
    store.commit(batch.into()).await.unwrap();
    assert_eq!(names().await.len(), 1, "a departure changes nothing");
    let batch = Batch { seen: vec![seen(Some("First")), seen(None)], ..Batch::default() };
    store.commit(batch.into()).await.unwrap();
    assert_eq!(names().await, DisplayNames::new(), "the last one of a batch counts");
    let shop = Space::from_raw("/shop");
    record_seen(store, UserSeen { space: shop.clone(), ..seen(Some("In the shop")) }).await;
    assert_eq!(names().await, DisplayNames::new(), "each space has its own");
    assert_eq!(store.display_names(&shop, &asked).await.unwrap().len(), 1);
}

pub(super) async fn entries_are_read_with_present_display_names(store: &dyn Store) {
    let seen = |name: &str| UserSeen {
        display_name: Some(DisplayName::from_raw(name)),
        identity_kind: IdentityKind::Registered,
        ..guest(&Space::root(), "ann")
    };
    record_seen(store, seen("Before")).await;
    let by_ann = |n| Draft { author: user("ann"), ..numbered("lobby", n) };
    commit(store, vec![by_ann(1), numbered("lobby", 2), by_ann(3)]).await;
    record_seen(store, seen("Ann")).await;
    let limit = PageLimit { messages: 9, bytes: 9999, attachments: 9 };
    let page = store.named_page(&room("lobby"), PageRange::Newest, limit).await.unwrap();
    let names = page.entries.iter().map(|it| it.author_name.as_ref().map(DisplayName::as_raw));
    assert_eq!(names.collect::<Vec<_>>(), [Some("Ann"), None, Some("Ann")]);
    let nowhere = store.named_page(&room("empty"), PageRange::Newest, limit).await.unwrap();
    assert!(nowhere.entries.is_empty());
}

pub(super) async fn last_seen_is_the_latest_time(store: &dyn Store) {
    let root = Space::root();
    let at = |name: &str, n| UserSeen { at: time(n), ..guest(&root, name) };
    record_seen(store, at("ann", 5)).await;
    record_seen(store, UserSeen { device: Some(DeviceId::from_raw("phone")), ..at("ann", 9) })
        .await;
    record_seen(store, at("ann", 7)).await;
    record_seen(store, at("bob", 3)).await;
    record_seen(store, UserSeen { space: Space::from_raw("/shop"), ..at("cleo", 4) }).await;
    let names = ["bob", "unknown", "ann", "cleo", "bob"].map(user);
    let expected = [Some(time(3)), None, Some(time(9)), None, Some(time(3))];
    assert_eq!(store.last_seen(&root, &names).await.unwrap(), expected);
    assert_eq!(store.last_seen(&root, &[]).await.unwrap(), []);
}

/// Connects ann with this kind of identity, as a member of a room, a direct conversation and an
/// inbox.
async fn join_ann_to_all_places(store: &dyn Store, identity_kind: IdentityKind) {
    let seen = vec![UserSeen { identity_kind, ..guest(&Space::root(), "ann") }];
    let changes = vec![change("a", "ann", JOIN), change("a", "bob", JOIN)];
    let n = head(store, &inbox("ann")).await.as_raw() + 1;
    let in_place = |place| Draft { place, author: user("ann"), ..numbered("", n) };
    let drafts = vec![in_place(direct("/", "ann", "bob")), in_place(inbox("ann"))];
    store.commit(Batch { seen, changes, drafts, ..Batch::default() }.into()).await.unwrap();
    assert_eq!(memberships(store, "ann").await.len(), 3);
}

pub(super) async fn a_reused_name_inherits_no_membership(store: &dyn Store) {
    let seen = |identity_kind| UserSeen { identity_kind, ..guest(&Space::root(), "ann") };
    let guest = |guest_session: &str| IdentityKind::Guest(guest_session.into());
    let cases = [
        (guest("first"), vec![guest("first")], 3),
        (guest("first"), vec![guest("second")], 0),
        (guest("second"), vec![guest("third"), guest("second")], 0),
        (guest("second"), vec![IdentityKind::Registered], 0),
        (IdentityKind::Registered, vec![IdentityKind::Registered], 3),
        (IdentityKind::Registered, vec![guest("first")], 0),
    ];
    for (before, after, expected) in cases {
        join_ann_to_all_places(store, before.clone()).await;
        let seen = after.iter().cloned().map(seen).collect();
        // A membership from the same batch belongs to the new owner of the name.
        let changes = vec![change("b", "ann", JOIN)];
        store.commit(Batch { seen, changes, ..Batch::default() }.into()).await.unwrap();
        let found = memberships(store, "ann").await;
        assert_eq!(found.len(), expected + 1, "{before:?}, then {after:?}");
        let left = 1 + u64::from(expected > 0);
        assert_eq!(log_state(store, &room("a")).await.members, left);
        assert_eq!(log_state(store, &direct("/", "ann", "bob")).await.members, left);
        assert_eq!(memberships(store, "bob").await.len(), 2, "bob has the same identity");
        apply_changes(store, vec![change("b", "ann", MemberChange::Leave)]).await;
    }
    join_ann_to_all_places(store, guest("fourth")).await;
    record_seen(store, UserSeen { space: Space::from_raw("/shop"), ..seen(guest("fifth")) }).await;
    assert_eq!(memberships(store, "ann").await.len(), 3, "memberships in another space");
    apply_changes(store, vec![change("a", "dan", JOIN)]).await;
    record_seen(store, UserSeen { user: user("dan"), ..seen(guest("first")) }).await;
    assert_eq!(memberships(store, "dan").await.len(), 1, "the name had no owner before");
    let seen = ["x", "y"]
        .map(|guest_session| UserSeen { user: user("eve"), ..seen(guest(guest_session)) });
    apply_changes(store, vec![change("a", "eve", JOIN)]).await;
    store.commit(Batch { seen: seen.into(), ..Batch::default() }.into()).await.unwrap();
    assert_eq!(memberships(store, "eve").await.len(), 0, "the second one is another owner");
}

pub(super) async fn an_expired_guest_has_no_membership(store: &dyn Store) {
    let expired = |space: &str, name: &str, guest_session: &str| {
        let (space, user) = (Space::from_raw(space), user(name));
        let expired =
            vec![GuestExpired { space, user, guest_session: guest_session.into(), from: node() }];
        Batch { expired, ..Batch::default() }
    };
    join_ann_to_all_places(store, IdentityKind::Guest("now".into())).await;
    for (space, name, guest_session) in
        [("/", "ann", "before"), ("/", "bob", "now"), ("/shop", "ann", "now"), ("/", "ann", "")]
    {
        store.commit(expired(space, name, guest_session).into()).await.unwrap();
        assert_eq!(
            memberships(store, "ann").await.len(),
            3,
            "{name} on {guest_session} in {space}"
        );
    }
    let changes = vec![change("b", "ann", JOIN)];
    store.commit(Batch { changes, ..expired("/", "ann", "now") }.into()).await.unwrap();
    assert_eq!(memberships(store, "ann").await.len(), 1, "later memberships are kept");
    assert_eq!(log_state(store, &room("a")).await.members, 1);
    record_seen(store, guest(&Space::root(), "eve")).await;
    let seen =
        vec![UserSeen { identity_kind: IdentityKind::Registered, ..guest(&Space::root(), "ann") }];
    store.commit(Batch { seen, ..Batch::default() }.into()).await.unwrap();
    apply_changes(store, vec![change("a", "ann", JOIN)]).await;
    store.commit(expired("/", "ann", "now").into()).await.unwrap();
    assert_eq!(memberships(store, "ann").await.len(), 1, "the name is registered by now");
}
