//! What an engine remembers of users.

use super::*;

pub(super) async fn a_user_who_came_is_known_in_that_space(store: &dyn Store) {
    let (root, shop) = (Space::root(), Space::from_raw("/shop"));
    assert!(!knows(store, &root, "ann").await);
    let seen = vec![guest(&root, "ann"), guest(&root, "ann")];
    store.commit(&Batch { seen, ..Batch::default() }).await.unwrap();
    let seen = vec![guest(&root, "ann"), guest(&shop, "bob")];
    let drafts = vec![draft("lobby", "1", "0")];
    store.commit(&Batch { seen, drafts, ..Batch::default() }).await.unwrap();
    assert!(knows(store, &root, "ann").await);
    assert!(knows(store, &shop, "bob").await);
    for (space, name) in [(&shop, "ann"), (&root, "bob"), (&root, "Ann"), (&root, "author")] {
        assert!(!knows(store, space, name).await, "{name} in {space}");
    }
    let many = (0..600).map(|n| guest(&root, &format!("user {n}"))).collect();
    store.commit(&Batch { seen: many, ..Batch::default() }).await.unwrap();
    for n in [0, 255, 256, 599] {
        assert!(knows(store, &root, &format!("user {n}")).await);
    }
}

pub(super) async fn a_name_that_was_vouched_for_stays_so(store: &dyn Store) {
    let root = Space::root();
    let is_vouched = async |name: &str| store.is_vouched(&root, &user(name).key()).await.unwrap();
    see(store, guest(&root, "ann")).await;
    assert!(!is_vouched("ann").await);
    see(store, Seen { voucher: Voucher::BackEnd, ..guest(&root, "ann") }).await;
    assert!(is_vouched("ann").await);
    see(store, guest(&root, "ann")).await;
    assert!(is_vouched("ann").await, "for ever");
    assert!(is_vouched("ANN").await, "and whatever looks like it");
    assert!(!is_vouched("bob").await);
    let shop = Space::from_raw("/shop");
    assert!(!store.is_vouched(&shop, &user("ann").key()).await.unwrap(), "each space has its own");
}

pub(super) async fn a_device_is_known_with_the_time_it_was_last_seen(store: &dyn Store) {
    let root = Space::root();
    let with = |name: &str, id: &str, n| {
        let device = Some(DeviceId::from_raw(id));
        Seen { device, at: time(n), ..guest(&root, name) }
    };
    let last_seen = async |name: &str, id: &str| {
        store.device_seen(&root, &user(name), &DeviceId::from_raw(id)).await.unwrap()
    };
    assert_eq!(last_seen("ann", "phone").await, None);
    see(store, with("ann", "phone", 5)).await;
    see(store, with("ann", "phone", 9)).await;
    see(store, with("ann", "phone", 7)).await;
    see(store, with("bob", "laptop", 3)).await;
    assert_eq!(last_seen("ann", "phone").await, Some(time(9)), "the latest, not the last told");
    assert_eq!(last_seen("ann", "laptop").await, None, "that one is another user's");
    assert_eq!(last_seen("bob", "laptop").await, Some(time(3)));
}

pub(super) async fn whoever_went_is_who_they_were(store: &dyn Store) {
    let root = Space::root();
    ann_is_everywhere(store, Voucher::BackEnd).await;
    let device = Some(DeviceId::from_raw("phone"));
    let went = |name, n| Went {
        space: root.clone(),
        user: user(name),
        device: device.clone(),
        at: time(n),
    };
    let went = vec![went("ann", 9), went("ann", 7), went("nobody", 5)];
    store.commit(&Batch { went, ..Batch::default() }).await.unwrap();
    let users = [user("ann"), user("nobody")];
    assert_eq!(store.last_seen(&root, &users).await.unwrap(), [Some(time(9)), None]);
    let phone = DeviceId::from_raw("phone");
    assert_eq!(store.device_seen(&root, &users[0], &phone).await.unwrap(), Some(time(9)));
    assert_eq!(store.device_seen(&root, &users[1], &phone).await.unwrap(), None);
    assert!(!knows(store, &root, "nobody").await);
    assert!(!memberships(store, "ann").await.is_empty(), "going is not being somebody else");
}

pub(super) async fn of_many_devices_the_last_ones_are_kept(store: &dyn Store) {
    let root = Space::root();
    let kept = u64::try_from(DEVICES_PER_USER_MAX).unwrap();
    let with = |n: u64| {
        let device = Some(DeviceId::from_raw(&n.to_string()));
        Seen { device, at: time(n), ..guest(&root, "ann") }
    };
    for n in 1..=kept + 2 {
        see(store, with(n)).await;
    }
    let last_seen = async |n: u64| {
        let device = DeviceId::from_raw(&n.to_string());
        store.device_seen(&root, &user("ann"), &device).await.unwrap()
    };
    for n in 3..=kept + 2 {
        assert_eq!(last_seen(n).await, Some(time(n)), "{n}");
    }
}

pub(super) async fn a_user_was_seen_when_they_were_seen_last(store: &dyn Store) {
    let root = Space::root();
    let at = |name: &str, n| Seen { at: time(n), ..guest(&root, name) };
    see(store, at("ann", 5)).await;
    see(store, Seen { device: Some(DeviceId::from_raw("phone")), ..at("ann", 9) }).await;
    see(store, at("ann", 7)).await;
    see(store, at("bob", 3)).await;
    see(store, Seen { space: Space::from_raw("/shop"), ..at("cleo", 4) }).await;
    let names = ["bob", "nobody", "ann", "cleo", "bob"].map(user);
    let expected = [Some(time(3)), None, Some(time(9)), None, Some(time(3))];
    assert_eq!(store.last_seen(&root, &names).await.unwrap(), expected);
    assert_eq!(store.last_seen(&root, &[]).await.unwrap(), []);
}

/// Ann, as vouched for, comes to a store in which she is a member of everything a user may be.
async fn ann_is_everywhere(store: &dyn Store, voucher: Voucher) {
    let seen = vec![Seen { voucher, ..guest(&Space::root(), "ann") }];
    let changes = vec![change("a", "ann", JOIN), change("a", "bob", JOIN)];
    let n = head(store, &inbox("ann")).await.as_raw() + 1;
    let in_place = |place| Draft { place, author: user("ann"), ..numbered("", n) };
    let drafts = vec![in_place(direct("/", "ann", "bob")), in_place(inbox("ann"))];
    store.commit(&Batch { seen, changes, drafts, ..Batch::default() }).await.unwrap();
    assert_eq!(memberships(store, "ann").await.len(), 3);
}

pub(super) async fn whoever_has_a_name_next_is_a_member_of_nothing(store: &dyn Store) {
    let seen = |voucher| Seen { voucher, ..guest(&Space::root(), "ann") };
    let guest = |stay: &str| Voucher::Guest(stay.into());
    let cases = [
        (guest("first"), vec![guest("first")], 3),
        (guest("first"), vec![guest("second")], 0),
        (guest("second"), vec![guest("third"), guest("second")], 0),
        (guest("second"), vec![Voucher::BackEnd], 0),
        (Voucher::BackEnd, vec![Voucher::BackEnd], 3),
        (Voucher::BackEnd, vec![guest("first")], 0),
    ];
    for (before, after, expected) in cases {
        ann_is_everywhere(store, before.clone()).await;
        let seen = after.iter().cloned().map(seen).collect();
        // What she becomes in the same batch is the new one's.
        let changes = vec![change("b", "ann", JOIN)];
        store.commit(&Batch { seen, changes, ..Batch::default() }).await.unwrap();
        let found = memberships(store, "ann").await;
        assert_eq!(found.len(), expected + 1, "{before:?}, then {after:?}");
        let left = 1 + u64::from(expected > 0);
        assert_eq!(stands(store, &room("a")).await.members, left);
        assert_eq!(stands(store, &direct("/", "ann", "bob")).await.members, left);
        assert_eq!(memberships(store, "bob").await.len(), 2, "bob is who he was");
        make(store, vec![change("b", "ann", MemberChange::Leave)]).await;
    }
    ann_is_everywhere(store, guest("fourth")).await;
    see(store, Seen { space: Space::from_raw("/shop"), ..seen(guest("fifth")) }).await;
    assert_eq!(memberships(store, "ann").await.len(), 3, "somebody else's, in another space");
    make(store, vec![change("a", "dan", JOIN)]).await;
    see(store, Seen { user: user("dan"), ..seen(guest("first")) }).await;
    assert_eq!(memberships(store, "dan").await.len(), 1, "nobody had the name before");
    let seen = ["x", "y"].map(|stay| Seen { user: user("eve"), ..seen(guest(stay)) });
    make(store, vec![change("a", "eve", JOIN)]).await;
    store.commit(&Batch { seen: seen.into(), ..Batch::default() }).await.unwrap();
    assert_eq!(memberships(store, "eve").await.len(), 0, "the second one is somebody else");
}

pub(super) async fn a_guest_who_is_gone_is_a_member_of_nothing(store: &dyn Store) {
    let gone = |space: &str, name: &str, stay: &str| {
        let (space, user) = (Space::from_raw(space), user(name));
        let gone = vec![Gone { space, user, stay: stay.into(), from: node() }];
        Batch { gone, ..Batch::default() }
    };
    ann_is_everywhere(store, Voucher::Guest("now".into())).await;
    for (space, name, stay) in
        [("/", "ann", "before"), ("/", "bob", "now"), ("/shop", "ann", "now"), ("/", "ann", "")]
    {
        store.commit(&gone(space, name, stay)).await.unwrap();
        assert_eq!(memberships(store, "ann").await.len(), 3, "{name} on {stay} in {space}");
    }
    let changes = vec![change("b", "ann", JOIN)];
    store.commit(&Batch { changes, ..gone("/", "ann", "now") }).await.unwrap();
    assert_eq!(memberships(store, "ann").await.len(), 1, "what came after stays");
    assert_eq!(stands(store, &room("a")).await.members, 1);
    see(store, guest(&Space::root(), "eve")).await;
    let seen = vec![Seen { voucher: Voucher::BackEnd, ..guest(&Space::root(), "ann") }];
    store.commit(&Batch { seen, ..Batch::default() }).await.unwrap();
    make(store, vec![change("a", "ann", JOIN)]).await;
    store.commit(&gone("/", "ann", "now")).await.unwrap();
    assert_eq!(memberships(store, "ann").await.len(), 1, "the name is a user's by now");
}
