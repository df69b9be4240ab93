//! The hub with time that the tests move: graces, names, presence that is told once a second.

mod members;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::{advance, sleep};

use super::*;
use crate::{
    chat::{
        event::Event,
        journal::Post,
        ports::{Change, Changed, GuestName, MemberChange, Membership, Rooms},
        test_support::{Shelf, herald},
    },
    domain::{Conversation, Entry, Log, Member, Office, Rejection, Role, RoomName},
};

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

/// The lobby, in which nothing was said yet.
fn lobby() -> Membership {
    let place = Place::room(&Space::root(), &RoomName::lobby());
    let member = Member::new(Role::Member, Position::ZERO);
    Membership { place, member, log: Log { members: 1, ..Log::default() } }
}

/// Everything is open.
fn scope() -> Scope {
    Scope { home: RoomName::lobby(), rooms: Rooms::All, office: Office::User }
}

/// Comes in on a connection, as a user who is a member of the lobby.
fn come(hub: &Arc<Hub>, name: &str, shelf: &Arc<Shelf>) -> (Registration, Residence) {
    come_as(hub, name, Proof::User, shelf)
}

fn come_as(
    hub: &Arc<Hub>,
    name: &str,
    proof: Proof,
    shelf: &Arc<Shelf>,
) -> (Registration, Residence) {
    let registration = hub.register(Arc::clone(shelf) as Arc<dyn Outbox>);
    let mut residence = Residence::claim(hub, &Space::root(), &user(name), proof).unwrap();
    hub.learn(&Space::root(), &user(name), residence.number(), vec![lobby()]);
    drop(settle(&mut residence, presence(registration.id(), shelf)));
    (registration, residence)
}

fn settle(residence: &mut Residence, presence: Presence) -> Settled {
    let since = BTreeMap::new();
    let coming = Coming { presence, scope: scope(), since: &since };
    let hello = |belongings: Belongings| {
        let names = belongings.rooms.iter().map(|it| UserName::from_raw(it.room.as_raw()));
        Delivery::new(Event::Users(names.collect()))
    };
    residence.settle(coming, hello)
}

/// Somebody's being here on a connection, on no device that they named.
fn presence(connection: ConnectionId, shelf: &Arc<Shelf>) -> Presence {
    let outbox = Arc::clone(shelf) as Arc<dyn Outbox>;
    Presence { connection, outbox, device: None, sign_in: None, ticket: 0 }
}

/// What was heard beside lists of users.
fn heard(shelf: &Shelf) -> Vec<String> {
    shelf.events().into_iter().filter(|it| !it.ends_with("users")).collect()
}

/// A change of a user in the lobby, which was stored.
fn change(hub: &Hub, name: &str, before: Option<Member>, after: Option<Member>, cause: &Cause) {
    let (place, user) = (lobby().place, user(name));
    let change = Change { place, user, what: MemberChange::Leave, rooms_max: None };
    let log = Log { head: Position::from_raw(9, 9), members: 2, ..Log::default() };
    hub.changed(&change, &Changed { before, after, log, refused: None }, cause);
}

/// Lets the roll be called while `time` passes.
async fn pass(hub: &Arc<Hub>, time: Duration) {
    tokio::select! {
        () = Arc::clone(hub).call_roll(|| ()) => unreachable!("the roll is called for ever"),
        () = sleep(time) => (),
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_told_after_the_grace_and_a_return_is_not() {
    let hub = Hub::new(Limits::default(), herald());
    let watcher = Shelf::with_room_for(99);
    let _watching = come(&hub, "watcher", &watcher);
    for name in ["ann", "bob"] {
        drop(come(&hub, name, &Shelf::with_room_for(9)));
    }
    pass(&hub, Duration::from_secs(3)).await;
    let _back = come(&hub, "bob", &Shelf::with_room_for(9));
    pass(&hub, Duration::from_secs(4)).await;
    let told = watcher.events();
    let comings: Vec<_> = told.iter().filter(|it| !it.contains("users")).collect();
    assert_eq!(comings, ["ann joined", "bob joined", "ann left"]);
    assert_eq!(told.last().unwrap(), "2 users");
}

#[tokio::test(start_paused = true)]
async fn many_changes_are_told_once_a_second() {
    let hub = Hub::new(Limits::default(), herald());
    let watcher = Shelf::with_room_for(999);
    let _watching = come(&hub, "watcher", &watcher);
    pass(&hub, Duration::from_millis(10)).await;
    let mut inside = Vec::new();
    for number in 0..50 {
        inside.push(come(&hub, &format!("user{number}"), &Shelf::with_room_for(999)));
        pass(&hub, Duration::from_millis(20)).await;
    }
    pass(&hub, Duration::from_secs(1)).await;
    let lists = watcher.events().into_iter().filter(|it| it.ends_with("users")).count();
    assert!((2..=4).contains(&lists), "{lists} lists in 2 s");
    assert_eq!(watcher.events().last().unwrap(), "51 users");
}

#[tokio::test(start_paused = true)]
async fn a_guests_name_is_free_after_the_grace_and_never_to_another_stay() {
    let hub = Hub::new(Limits::default(), herald());
    let (root, ann) = (Space::root(), user("ann"));
    let new = |stay: &str| Proof::NewGuest(stay.into());
    let mut first = Residence::claim(&hub, &root, &ann, new("one")).unwrap();
    let registration = hub.register(Shelf::with_room_for(9));
    drop(settle(&mut first, presence(registration.id(), &Shelf::with_room_for(9))));
    let claim = |proof| Residence::claim(&hub, &root, &ann, proof);
    assert_eq!(claim(new("two")).unwrap_err(), Rejection::NameTaken);
    assert_eq!(claim(Proof::Guest("other".into())).unwrap_err(), Rejection::NameTaken);
    assert!(claim(Proof::Guest("one".into())).is_ok());
    let elsewhere = Space::parse("/shop").unwrap();
    assert!(Residence::claim(&hub, &elsewhere, &ann, new("three")).is_ok(), "another world");
    drop(first);
    pass(&hub, Duration::from_secs(4)).await;
    assert_eq!(claim(new("two")).unwrap_err(), Rejection::NameTaken, "in the grace");
    advance(Duration::from_secs(2)).await;
    pass(&hub, Duration::from_millis(1)).await;
    assert!(claim(new("two")).is_ok());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_when_everybody_has_gone() {
    let hub = Hub::new(Limits::default(), herald());
    for name in ["ann", "bob"] {
        drop(come(&hub, name, &Shelf::with_room_for(99)));
    }
    pass(&hub, Duration::from_secs(7)).await;
    let state = hub.lock();
    assert!(state.outboxes.is_empty() && state.topics.is_empty());
    drop(state);
    assert!(hub.devices(&Space::root(), &user("ann")).is_empty());
    assert!(Residence::claim(&hub, &Space::root(), &user("ann"), Proof::User).is_ok());
}

/// A user who is here, by somebody whose outbox is a shelf.
fn reside(hub: &Arc<Hub>, name: &str, proof: Proof) -> (Residence, Arc<Shelf>) {
    let shelf = Shelf::with_room_for(9);
    let mut residence = Residence::claim(hub, &Space::root(), &user(name), proof).unwrap();
    let connection = hub.connections.fetch_add(1, Ordering::Relaxed);
    drop(settle(&mut residence, presence(ConnectionId::from_raw(connection), &shelf)));
    (residence, shelf)
}

#[tokio::test(start_paused = true)]
async fn who_is_expected_counts_once_until_they_give_up() {
    let hub = Hub::new(Limits::default(), herald());
    let ann = |id| {
        let claimed = Residence::claim(&hub, &Space::root(), &user("ann"), Proof::User);
        let mut residence = claimed.unwrap();
        residence.expect(ConnectionId::from_raw(id), None);
        residence
    };
    let told = || hub.take_moved().into_iter().map(|it| it.devices.count()).collect::<Vec<_>>();
    let (mut first, second) = (ann(1), ann(2));
    assert_eq!(told(), [2]);
    let shelf = Shelf::with_room_for(9);
    drop(settle(&mut first, presence(ConnectionId::from_raw(1), &shelf)));
    assert!(told().is_empty(), "that was told before");
    drop(second);
    assert_eq!(told(), [1]);
    drop(first);
    assert_eq!(told(), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_guest_goes_without_a_name_that_looks_like_anybodys() {
    let hub = Hub::new(Limits::default(), herald());
    let (_guest, _) = reside(&hub, "ann lee", Proof::NewGuest("one".into()));
    let (_user, _) = reside(&hub, "Bob", Proof::User);
    let claim = |name: &str, proof| Residence::claim(&hub, &Space::root(), &user(name), proof);
    for name in ["Ann Lee", "ANN\u{a0}LEE", "bob", "BOB"] {
        for proof in [Proof::NewGuest("two".into()), Proof::Guest("two".into())] {
            assert_eq!(claim(name, proof).unwrap_err(), Rejection::NameTaken, "{name}");
        }
    }
    assert!(claim("annlee", Proof::NewGuest("two".into())).is_ok());
    assert!(claim("BOB", Proof::User).is_ok(), "a back end's names differ by case");
}

#[tokio::test(start_paused = true)]
async fn a_user_goes_before_guests_of_that_name() {
    let hub = Hub::new(Limits::default(), herald());
    let (guest, told) = reside(&hub, "ann", Proof::NewGuest("one".into()));
    let (alike, alike_told) = reside(&hub, "bob", Proof::NewGuest("two".into()));
    let (_user, user_told) = reside(&hub, "ann", Proof::User);
    let (_other, _) = reside(&hub, "BOB", Proof::User);
    assert_eq!(heard(&told), ["closed NameTaken"]);
    assert_eq!(heard(&alike_told), ["closed NameTaken"]);
    assert!(heard(&user_told).is_empty());
    drop((guest, alike));
    pass(&hub, Duration::from_secs(9)).await;
    assert_eq!(
        hub.devices(&Space::root(), &user("ann")).count(),
        1,
        "the guest's leaving is not the user's"
    );
    let back = Residence::claim(&hub, &Space::root(), &user("ann"), Proof::Guest("one".into()));
    assert_eq!(back.unwrap_err(), Rejection::NameTaken);
}

#[tokio::test(start_paused = true)]
async fn who_lost_their_name_at_the_door_is_told_so() {
    let hub = Hub::new(Limits::default(), herald());
    let proof = Proof::NewGuest("one".into());
    let mut guest = Residence::claim(&hub, &Space::root(), &user("ann"), proof).unwrap();
    let (_user, _) = reside(&hub, "ann", Proof::User);
    let shelf = Shelf::with_room_for(9);
    drop(settle(&mut guest, presence(ConnectionId::from_raw(99), &shelf)));
    assert_eq!(shelf.events(), ["closed NameTaken"]);
}

#[tokio::test(start_paused = true)]
async fn a_reserved_name_waits_for_its_guest_and_no_longer() {
    let hub = Hub::new(Limits::default(), herald());
    let claim = |stay: &str, proof: fn(Box<str>) -> Proof| {
        Residence::claim(&hub, &Space::root(), &user("ann"), proof(stay.into()))
    };
    claim("one", Proof::NewGuest).unwrap().reserve();
    assert_eq!(claim("two", Proof::NewGuest).unwrap_err(), Rejection::NameTaken);
    assert!(claim("one", Proof::Guest).is_ok());
    assert_eq!(claim("two", Proof::NewGuest).unwrap_err(), Rejection::NameTaken, "still reserved");
    pass(&hub, Duration::from_secs(6)).await;
    assert!(claim("two", Proof::NewGuest).is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_opens_is_told_of_the_other_devices_that_were_there() {
    let hub = Hub::new(Limits::default(), herald());
    let open = |number, device: Option<&str>| {
        let mut residence =
            Residence::claim(&hub, &Space::root(), &user("ann"), Proof::User).unwrap();
        let device = device.map(DeviceId::from_raw);
        let outbox = Shelf::with_room_for(9);
        let connection = ConnectionId::from_raw(number);
        let settled = settle(
            &mut residence,
            Presence { connection, outbox, device, sign_in: None, ticket: 0 },
        );
        (residence, settled.others.len())
    };
    let (_phone, others) = open(1, Some("phone"));
    assert_eq!(others, 0);
    let (_again, others) = open(2, Some("phone"));
    assert_eq!(others, 0, "the same device");
    let (_laptop, others) = open(3, Some("laptop"));
    assert_eq!(others, 2);
    let (_unnamed, others) = open(4, None);
    assert_eq!(others, 3);
    let (_also_unnamed, others) = open(5, None);
    assert_eq!(others, 4, "no device is a device of its own");
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_ends_its_own_connections_alone() {
    let hub = Hub::new(Limits::default(), herald());
    let sign_in = |name: &str| Some(SignInId::from_raw(name));
    let open = |number, sign_in| {
        let shelf = Shelf::with_room_for(9);
        let mut residence =
            Residence::claim(&hub, &Space::root(), &user("ann"), Proof::User).unwrap();
        let presence = presence(ConnectionId::from_raw(number), &shelf);
        drop(settle(&mut residence, Presence { sign_in, ..presence }));
        (residence, shelf)
    };
    let (tab, other_tab, phone) =
        (open(1, sign_in("a")), open(2, sign_in("a")), open(3, sign_in("b")));
    drop(other_tab);
    hub.sign_out(&SignInId::from_raw("a"));
    assert_eq!(heard(&tab.1), ["closed SignedOut"]);
    assert!(heard(&phone.1).is_empty());
    let late = open(4, sign_in("a"));
    assert_eq!(heard(&late.1), ["closed SignedOut"], "it was at the door when the sign-in ended");
    assert!(hub.has_ended(&SignInId::from_raw("a")) && !hub.has_ended(&SignInId::from_raw("b")));
    drop((tab, phone, late));
    assert!(hub.lock().residents.sign_ins.end(&SignInId::from_raw("a")).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_connection_hears_of_its_end_and_is_ended() {
    let hub = Hub::new(Limits::default(), herald());
    let set = |seconds| {
        let shelf = Shelf::with_room_for(9);
        let outbox = Arc::clone(&shelf) as Arc<dyn Outbox>;
        let until = (OffsetDateTime::UNIX_EPOCH, Duration::from_secs(seconds));
        (Deadline::set(&hub, outbox, until), shelf)
    };
    let (_long, long) = set(100);
    let (_short, short) = set(10);
    let (renewed, told) = set(20);
    let (_fresh, fresh) = set(1000);
    pass(&hub, Duration::from_millis(10)).await;
    assert_eq!(short.events(), ["auth expiring"], "at once, when less than the notice is left");
    assert_eq!(told.events(), ["auth expiring"]);
    drop(renewed);
    pass(&hub, Duration::from_secs(69)).await;
    assert_eq!(short.events(), ["auth expiring", "closed TokenExpired"]);
    assert_eq!(told.events(), ["auth expiring"], "a fresh token took the place of that one");
    assert!(long.events().is_empty());
    pass(&hub, Duration::from_secs(2)).await;
    assert_eq!(long.events(), ["auth expiring"]);
    pass(&hub, Duration::from_secs(30)).await;
    assert_eq!(long.events(), ["auth expiring", "closed TokenExpired"]);
    assert!(fresh.events().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_outlives_one_that_falls_in_the_same_moment() {
    let hub = Hub::new(Limits::default(), herald());
    let shelf = Shelf::with_room_for(9);
    let set = |seconds| {
        let until = (OffsetDateTime::UNIX_EPOCH, Duration::from_secs(seconds));
        Deadline::set(&hub, Arc::clone(&shelf) as Arc<dyn Outbox>, until)
    };
    // Both are to be told at once, and the second takes the place of the first.
    let (first, second, third) = (set(5), set(6), set(6));
    drop((first, second));
    pass(&hub, Duration::from_secs(7)).await;
    assert_eq!(shelf.events(), ["auth expiring", "closed TokenExpired"]);
    drop(third);
}
