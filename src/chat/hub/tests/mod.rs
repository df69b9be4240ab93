//! The hub with paused time: grace periods, names, connections.

mod clock;
mod denials;
mod emitters;
mod members;
mod presence;
mod spaces;
mod unread;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ::time::OffsetDateTime;
use tokio::time::{advance, sleep};

use super::*;
use crate::{
    chat::{
        event::{Delivery, Event, Post},
        ports::{DIRECTS_LISTED_MAX, GuestName, MemberChange, OnlineGuest, Outbox, Rooms},
        test_support::{RecordingOutbox, publisher},
    },
    domain::{
        ConnectionId, Conversation, Credentials, DeviceId, Entry, GlobalRole, Log, Member,
        Position, Rejection, Role, RoomName,
    },
};

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

/// The numbers of connections that are attached without a registration.
static NEXT_CONNECTION: AtomicU64 = AtomicU64::new(1000);

/// A membership in the lobby, which has no entries.
fn lobby() -> Membership {
    let place = Place::room(&Space::root(), &RoomName::lobby());
    let member = Member::new(Role::Member, Position::ZERO);
    let log = Log { members: 1, ..Log::default() };
    Membership { place, member, log, topic: None, deleted: 0 }
}

/// A scope that opens all rooms.
fn scope() -> Scope {
    Scope { default_room: RoomName::lobby(), rooms: Rooms::All, global_role: GlobalRole::User }
}

/// Attaches a connection of a user who is a member of the lobby.
fn connect(
    hub: &Arc<Hub>,
    name: &str,
    recorder: &Arc<RecordingOutbox>,
) -> (ConnectionRegistration, NameClaim) {
    connect_as(hub, name, Proof::User, recorder)
}

fn connect_as(
    hub: &Arc<Hub>,
    name: &str,
    proof: Proof,
    recorder: &Arc<RecordingOutbox>,
) -> (ConnectionRegistration, NameClaim) {
    let registration =
        hub.connections.register(Space::root(), Arc::clone(recorder) as Arc<dyn Outbox>, NOW);
    let mut name_claim = NameClaim::claim(hub, &Space::root(), &user(name), proof).unwrap();
    hub.users.cache_memberships(name_claim.online_user(), vec![lobby()]);
    drop(attach(&mut name_claim, connection_info(registration.id(), recorder)));
    (registration, name_claim)
}

fn attach(name_claim: &mut NameClaim, connection_info: ConnectionInfo) -> AttachOutcome {
    let since = BTreeMap::new();
    let mode = ReplayMode::Missed;
    let (scope, display_name) = (scope(), None);
    let request =
        AttachRequest { connection_info, scope, display_name, since: &since, mode, now: NOW };
    let welcome = |snapshot: WelcomeSnapshot| {
        let names = snapshot.rooms.iter().map(|it| UserName::from_raw(it.room.as_raw()));
        Delivery::new(Event::Users(names.collect()))
    };
    name_claim.attach(request, welcome)
}

/// Renews the token of a connection.
fn renew(name_claim: &mut NameClaim, scope: Scope) {
    name_claim.renew((scope, None), Credentials::default(), NOW).unwrap();
}

/// A connection without a device.
fn connection_info(connection: ConnectionId, recorder: &Arc<RecordingOutbox>) -> ConnectionInfo {
    let outbox = Arc::clone(recorder) as Arc<dyn Outbox>;
    ConnectionInfo {
        connection,
        outbox,
        device: None,
        credentials: Credentials::default(),
        ticket: 0,
    }
}

/// The events without presence lists.
fn events_without_lists(recorder: &RecordingOutbox) -> Vec<String> {
    recorder.events().into_iter().filter(|it| !it.ends_with("users")).collect()
}

/// A change of a user in the lobby, which was stored.
fn change(hub: &Hub, name: &str, before: Option<Member>, after: Option<Member>, cause: &Cause) {
    let (place, user) = (lobby().place, user(name));
    let change = Change { place, user, what: MemberChange::Leave, rooms_max: None };
    let log = Log { head: Position::from_raw(9, 9), members: 2, ..Log::default() };
    let (topic, deleted, refused) = (None, 0, None);
    let changed = ChangeResult { before, after, log, topic, deleted, refused };
    hub.apply_change(&change, &changed, cause);
}

/// Runs the timers while `time` passes.
async fn run_for(hub: &Arc<Hub>, time: Duration) {
    tokio::select! {
        () = Arc::clone(hub).run_timers(|| (), None, || OffsetDateTime::UNIX_EPOCH) => unreachable!("the timers run without end"),
        () = sleep(time) => (),
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_announced_after_the_grace_period_and_a_reconnect_is_not() {
    let hub = Hub::new(Limits::default(), publisher());
    let watcher = RecordingOutbox::with_capacity(99);
    let _watching = connect(&hub, "watcher", &watcher);
    for name in ["ann", "bob"] {
        drop(connect(&hub, name, &RecordingOutbox::with_capacity(9)));
    }
    run_for(&hub, Duration::from_secs(3)).await;
    let _back = connect(&hub, "bob", &RecordingOutbox::with_capacity(9));
    run_for(&hub, Duration::from_secs(4)).await;
    let received = watcher.events();
    let changes: Vec<_> = received.iter().filter(|it| !it.contains("users")).collect();
    assert_eq!(changes, ["ann joined", "bob joined", "ann left"]);
    assert_eq!(received.last().unwrap(), "2 users");
}

#[tokio::test(start_paused = true)]
async fn a_guest_name_is_released_only_after_the_grace_period() {
    let hub = Hub::new(Limits::default(), publisher());
    let (root, ann) = (Space::root(), user("ann"));
    let new = |guest_session: &str| Proof::NewGuest(guest_session.into());
    let mut first = NameClaim::claim(&hub, &root, &ann, new("one")).unwrap();
    let registration =
        hub.connections.register(Space::root(), RecordingOutbox::with_capacity(9), NOW);
    drop(attach(
        &mut first,
        connection_info(registration.id(), &RecordingOutbox::with_capacity(9)),
    ));
    let claim = |proof| NameClaim::claim(&hub, &root, &ann, proof);
    assert_eq!(claim(new("two")).unwrap_err(), Rejection::NameTaken);
    assert_eq!(claim(Proof::Guest("other".into())).unwrap_err(), Rejection::NameTaken);
    assert!(claim(Proof::Guest("one".into())).is_ok());
    let other_space = Space::parse("/shop").unwrap();
    assert!(
        NameClaim::claim(&hub, &other_space, &ann, new("three")).is_ok(),
        "each space has its own names"
    );
    drop(first);
    run_for(&hub, Duration::from_secs(4)).await;
    assert_eq!(claim(new("two")).unwrap_err(), Rejection::NameTaken, "within the grace period");
    advance(Duration::from_secs(2)).await;
    run_for(&hub, Duration::from_millis(1)).await;
    assert!(claim(new("two")).is_ok());
}

#[tokio::test(start_paused = true)]
async fn no_state_is_left_after_all_users_disconnect() {
    let hub = Hub::new(Limits::default(), publisher());
    for name in ["ann", "bob"] {
        drop(connect(&hub, name, &RecordingOutbox::with_capacity(99)));
    }
    run_for(&hub, Duration::from_secs(7)).await;
    assert!(hub.connections.count() == 0 && hub.live_rooms.is_empty());
    assert!(hub.users.devices(&Space::root(), &user("ann")).is_empty());
    assert!(NameClaim::claim(&hub, &Space::root(), &user("ann"), Proof::User).is_ok());
}

/// Claims a name and attaches a connection without memberships.
fn claim_and_attach(hub: &Arc<Hub>, name: &str, proof: Proof) -> (NameClaim, Arc<RecordingOutbox>) {
    let recorder = RecordingOutbox::with_capacity(9);
    let mut name_claim = NameClaim::claim(hub, &Space::root(), &user(name), proof).unwrap();
    let connection = NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed);
    drop(attach(&mut name_claim, connection_info(ConnectionId::from_raw(connection), &recorder)));
    (name_claim, recorder)
}

#[tokio::test(start_paused = true)]
async fn an_announced_connection_counts_once_until_it_is_dropped() {
    let hub = Hub::new(Limits::default(), publisher());
    let ann = |id| {
        let claimed = NameClaim::claim(&hub, &Space::root(), &user("ann"), Proof::User);
        let mut name_claim = claimed.unwrap();
        name_claim.announce_connection(ConnectionId::from_raw(id), None);
        name_claim
    };
    let received = || {
        hub.users.take_device_changes().into_iter().map(|it| it.devices.count()).collect::<Vec<_>>()
    };
    let (mut first, second) = (ann(1), ann(2));
    assert_eq!(received(), [2]);
    let recorder = RecordingOutbox::with_capacity(9);
    drop(attach(&mut first, connection_info(ConnectionId::from_raw(1), &recorder)));
    assert!(received().is_empty(), "the announcement was published");
    drop(second);
    assert_eq!(received(), [1]);
    drop(first);
    assert_eq!(received(), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_guest_cannot_claim_a_confusable_name() {
    let hub = Hub::new(Limits::default(), publisher());
    let (_guest, _) = claim_and_attach(&hub, "ann lee", Proof::NewGuest("one".into()));
    let (_user, _) = claim_and_attach(&hub, "Bob", Proof::User);
    let claim = |name: &str, proof| NameClaim::claim(&hub, &Space::root(), &user(name), proof);
    for name in ["Ann Lee", "ANN\u{a0}LEE", "bob", "BOB"] {
        for proof in [Proof::NewGuest("two".into()), Proof::Guest("two".into())] {
            assert_eq!(claim(name, proof).unwrap_err(), Rejection::NameTaken, "{name}");
        }
    }
    assert!(claim("annlee", Proof::NewGuest("two".into())).is_ok());
    assert!(claim("BOB", Proof::User).is_ok(), "a back end's names differ by case");
}

#[tokio::test(start_paused = true)]
async fn a_registered_user_evicts_guests_with_a_confusable_name() {
    let hub = Hub::new(Limits::default(), publisher());
    let (guest, received) = claim_and_attach(&hub, "ann", Proof::NewGuest("one".into()));
    let (alike, alike_received) = claim_and_attach(&hub, "bob", Proof::NewGuest("two".into()));
    let (_user, user_received) = claim_and_attach(&hub, "ann", Proof::User);
    let (_other, _) = claim_and_attach(&hub, "BOB", Proof::User);
    assert_eq!(events_without_lists(&received), ["closed NameTaken"]);
    assert_eq!(events_without_lists(&alike_received), ["closed NameTaken"]);
    assert!(events_without_lists(&user_received).is_empty());
    drop((guest, alike));
    run_for(&hub, Duration::from_secs(9)).await;
    assert_eq!(
        hub.users.devices(&Space::root(), &user("ann")).count(),
        1,
        "the guest's end does not disconnect the user"
    );
    let back = NameClaim::claim(&hub, &Space::root(), &user("ann"), Proof::Guest("one".into()));
    assert_eq!(back.unwrap_err(), Rejection::NameTaken);
}

#[tokio::test(start_paused = true)]
async fn attaching_after_losing_the_name_closes_with_name_taken() {
    let hub = Hub::new(Limits::default(), publisher());
    let proof = Proof::NewGuest("one".into());
    let mut guest = NameClaim::claim(&hub, &Space::root(), &user("ann"), proof).unwrap();
    let (_user, _) = claim_and_attach(&hub, "ann", Proof::User);
    let recorder = RecordingOutbox::with_capacity(9);
    drop(attach(&mut guest, connection_info(ConnectionId::from_raw(99), &recorder)));
    assert_eq!(recorder.events(), ["closed NameTaken"]);
}

#[tokio::test(start_paused = true)]
async fn a_reserved_name_expires_after_the_grace_period() {
    let hub = Hub::new(Limits::default(), publisher());
    let claim = |guest_session: &str, proof: fn(Box<str>) -> Proof| {
        NameClaim::claim(&hub, &Space::root(), &user("ann"), proof(guest_session.into()))
    };
    claim("one", Proof::NewGuest).unwrap().reserve();
    assert_eq!(claim("two", Proof::NewGuest).unwrap_err(), Rejection::NameTaken);
    assert!(claim("one", Proof::Guest).is_ok());
    assert_eq!(claim("two", Proof::NewGuest).unwrap_err(), Rejection::NameTaken, "still reserved");
    run_for(&hub, Duration::from_secs(6)).await;
    assert!(claim("two", Proof::NewGuest).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_device_is_a_guests_until_the_guest_expires() {
    let hub = Hub::new(Limits::default(), publisher());
    let (root, phone) = (Space::root(), DeviceId::parse("phone").unwrap());
    let (guest, _) = claim_and_attach(&hub, "ann", Proof::NewGuest("one".into()));
    let (_user, _) = claim_and_attach(&hub, "bob", Proof::User);
    let seen = |name: &str| {
        let at = OffsetDateTime::UNIX_EPOCH;
        hub.users.record_device_seen(&root, &user(name), &phone, at);
    };
    seen("bob");
    assert!(!hub.users.is_guest_device(&root, &phone), "bob is no guest");
    seen("ann");
    seen("ann");
    drop(guest);
    assert!(hub.users.is_guest_device(&root, &phone), "in the grace period");
    run_for(&hub, Duration::from_secs(6)).await;
    assert!(!hub.users.is_guest_device(&root, &phone));
    let name = GuestName { space: root.clone(), user: user("eve"), guest_session: "two".into() };
    let devices = vec![(phone.clone(), OffsetDateTime::UNIX_EPOCH)];
    hub.users.reserve_names(vec![OnlineGuest { name, devices }]);
    assert!(hub.users.is_guest_device(&root, &phone), "with a reserved name");
    run_for(&hub, Duration::from_secs(6)).await;
    assert!(!hub.users.is_guest_device(&root, &phone));
}

#[tokio::test(start_paused = true)]
async fn attach_returns_the_connections_of_other_devices() {
    let hub = Hub::new(Limits::default(), publisher());
    let open = |number, device: Option<&str>| {
        let mut name_claim =
            NameClaim::claim(&hub, &Space::root(), &user("ann"), Proof::User).unwrap();
        let device = device.map(DeviceId::from_raw);
        let outbox = RecordingOutbox::with_capacity(9);
        let connection = ConnectionId::from_raw(number);
        let outcome = attach(
            &mut name_claim,
            ConnectionInfo {
                connection,
                outbox,
                device,
                credentials: Credentials::default(),
                ticket: 0,
            },
        );
        (name_claim, outcome.other_devices.len())
    };
    let (_phone, other_devices) = open(1, Some("phone"));
    assert_eq!(other_devices, 0);
    let (_again, other_devices) = open(2, Some("phone"));
    assert_eq!(other_devices, 0, "the same device");
    let (_laptop, other_devices) = open(3, Some("laptop"));
    assert_eq!(other_devices, 2);
    let (_unnamed, other_devices) = open(4, None);
    assert_eq!(other_devices, 3);
    let (_also_unnamed, other_devices) = open(5, None);
    assert_eq!(other_devices, 4, "no device is a device of its own");
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_warned_and_closed_at_token_expiry() {
    let hub = Hub::new(Limits::default(), publisher());
    let set = |seconds| {
        let recorder = RecordingOutbox::with_capacity(9);
        let outbox = Arc::clone(&recorder) as Arc<dyn Outbox>;
        let until = (OffsetDateTime::UNIX_EPOCH, Duration::from_secs(seconds));
        (Deadline::set(&hub.deadlines, outbox, until), recorder)
    };
    let (_long, long) = set(100);
    let (_short, short) = set(10);
    let (renewed, received) = set(20);
    let (_fresh, fresh) = set(1000);
    run_for(&hub, Duration::from_millis(10)).await;
    assert_eq!(short.events(), ["auth expiring"], "at once, when less than the notice is left");
    assert_eq!(received.events(), ["auth expiring"]);
    drop(renewed);
    run_for(&hub, Duration::from_secs(69)).await;
    assert_eq!(short.events(), ["auth expiring", "closed TokenExpired"]);
    assert_eq!(received.events(), ["auth expiring"], "a fresh token replaced that one");
    assert!(long.events().is_empty());
    run_for(&hub, Duration::from_secs(2)).await;
    assert_eq!(long.events(), ["auth expiring"]);
    run_for(&hub, Duration::from_secs(30)).await;
    assert_eq!(long.events(), ["auth expiring", "closed TokenExpired"]);
    assert!(fresh.events().is_empty());
}

#[tokio::test(start_paused = true)]
async fn dropping_a_deadline_keeps_another_at_the_same_moment() {
    let hub = Hub::new(Limits::default(), publisher());
    let recorder = RecordingOutbox::with_capacity(9);
    let set = |seconds| {
        let until = (OffsetDateTime::UNIX_EPOCH, Duration::from_secs(seconds));
        Deadline::set(&hub.deadlines, Arc::clone(&recorder) as Arc<dyn Outbox>, until)
    };
    // Both notices are due at once, and the second deadline replaces the first.
    let (first, second, third) = (set(5), set(6), set(6));
    drop((first, second));
    run_for(&hub, Duration::from_secs(7)).await;
    assert_eq!(recorder.events(), ["auth expiring", "closed TokenExpired"]);
    drop(third);
}
