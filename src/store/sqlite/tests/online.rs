//! The record of online guests, which outlives the process.

use super::*;
use crate::{
    chat::ports::{GuestExpired, GuestName, IdentityKind, UserDeparted, UserSeen},
    store::contract::{node, record_seen, time, user},
};

/// A connect of a guest with a device at a time.
fn seen(name: &str, guest_session: &str, device: &str, n: u64) -> UserSeen {
    let identity_kind = IdentityKind::Guest(guest_session.into());
    let device = Some(DeviceId::from_raw(device));
    UserSeen { identity_kind, device, at: time(n), ..guest(&Space::root(), name) }
}

/// The online guests after a reopening: `name session device@time …`.
async fn online(directory: &TempDir, store: SqliteStore) -> (SqliteStore, Vec<String>) {
    store.close().await;
    drop(store);
    let store = open(directory).await;
    let guests = store.online_guests().await.unwrap().into_iter().map(|guest| {
        let OnlineGuest { name: GuestName { space: _, user, guest_session }, devices } = guest;
        let at = |at| (0..20).find(|n| time(*n) == at).unwrap();
        let devices = devices.iter().map(|(id, seen)| format!(" {}@{}", id.as_raw(), at(*seen)));
        format!("{user} {guest_session}{}", devices.collect::<String>())
    });
    let guests = guests.collect();
    (store, guests)
}

#[tokio::test]
async fn guests_are_online_until_they_expire_or_lose_the_name() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    let space = Space::root();
    for (name, guest_session) in [("ann", "a"), ("bob", "b"), ("cleo", "c")] {
        record_seen(&store, seen(name, guest_session, "phone", 5)).await;
    }
    record_seen(&store, seen("ann", "a", "desk", 6)).await;
    let registered =
        |name| UserSeen { identity_kind: IdentityKind::Registered, ..guest(&Space::root(), name) };
    record_seen(&store, registered("dan")).await;
    let (store, guests) = online(&directory, store).await;
    assert_eq!(guests, ["ann a desk@6 phone@5", "bob b phone@5", "cleo c phone@5"]);

    let expired = |name, guest_session: &str| GuestExpired {
        space: space.clone(),
        user: user(name),
        guest_session: guest_session.into(),
        from: node(),
    };
    let expired = vec![expired("ann", "another"), expired("bob", "b")];
    let departed = UserDeparted {
        space: space.clone(),
        user: user("ann"),
        device: Some(DeviceId::from_raw("phone")),
        at: time(8),
    };
    let departed = vec![departed];
    store.commit(Batch { departed, expired, ..Batch::default() }.into()).await.unwrap();
    record_seen(&store, registered("cleo")).await;
    let (store, guests) = online(&directory, store).await;
    assert_eq!(guests, ["ann a desk@6 phone@8"], "in the grace period");
    record_seen(&store, seen("bob", "b", "phone", 9)).await;
    let (_, guests) = online(&directory, store).await;
    assert_eq!(guests, ["ann a desk@6 phone@8", "bob b phone@9"]);
}

#[tokio::test]
async fn devices_of_an_earlier_guest_are_not_those_of_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    record_seen(&store, seen("ann", "first", "phone", 5)).await;
    record_seen(&store, seen("ann", "second", "desk", 7)).await;
    let (_, guests) = online(&directory, store).await;
    assert_eq!(guests, ["ann second desk@7"]);
}
