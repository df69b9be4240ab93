//! What an engine remembers of users.

use super::*;

pub(super) async fn a_user_who_came_is_known_in_that_space(store: &dyn Store) {
    let (root, shop) = (Space::root(), Space::from_raw("/shop"));
    assert!(!knows(store, &root, "ann").await);
    let seen = vec![guest(&root, "ann"), guest(&root, "ann")];
    store.commit(&Batch { seen, drafts: Vec::new() }).await.unwrap();
    let seen = vec![guest(&root, "ann"), guest(&shop, "bob")];
    store.commit(&Batch { seen, drafts: vec![draft("lobby", "1", "0")] }).await.unwrap();
    assert!(knows(store, &root, "ann").await);
    assert!(knows(store, &shop, "bob").await);
    for (space, name) in [(&shop, "ann"), (&root, "bob"), (&root, "Ann"), (&root, "author")] {
        assert!(!knows(store, space, name).await, "{name} in {space}");
    }
    let many = (0..600).map(|n| guest(&root, &format!("user {n}"))).collect();
    store.commit(&Batch { seen: many, drafts: Vec::new() }).await.unwrap();
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
        store.last_seen(&root, &user(name), &DeviceId::from_raw(id)).await.unwrap()
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
        store.last_seen(&root, &user("ann"), &device).await.unwrap()
    };
    for n in 3..=kept + 2 {
        assert_eq!(last_seen(n).await, Some(time(n)), "{n}");
    }
}

/// Has somebody come or go.
async fn see(store: &dyn Store, seen: Seen) {
    store.commit(&Batch { seen: vec![seen], drafts: Vec::new() }).await.unwrap();
}
