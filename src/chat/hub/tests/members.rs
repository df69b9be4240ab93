//! Membership changes, receipts, typing and notifications, as the connections of users receive them.

use std::{sync::Mutex, thread};

use super::*;
use crate::chat::test_support::entry;

fn as_role(role: Role, read: u64) -> Member {
    Member::new(role, Position::from_raw(read, read))
}

#[tokio::test(start_paused = true)]
async fn leaving_and_joining_apply_to_all_devices() {
    let hub = Hub::new(Limits::default(), publisher());
    let recorders = [(); 3].map(|()| RecordingOutbox::with_capacity(99));
    let [phone, laptop, bob] = &recorders;
    let (_bob, (phone_registration, ann), (_laptop, other)) =
        (connect(&hub, "bob", bob), connect(&hub, "ann", phone), connect(&hub, "ann", laptop));
    let cause = Cause { origin: Some(phone_registration.id()), ..Cause::default() };
    change(&hub, "ann", Some(as_role(Role::Member, 0)), None, &cause);
    assert!(ann.room(&RoomName::lobby()).is_err() && other.room(&RoomName::lobby()).is_err());
    change(&hub, "ann", None, Some(as_role(Role::Reader, 0)), &cause);
    assert_eq!(other.room(&RoomName::lobby()).unwrap().1, Role::Reader);
    assert_eq!(events_without_lists(phone), [""; 0], "the caller receives the reply instead");
    assert_eq!(events_without_lists(laptop), ["out of lobby", "Reader of lobby"]);
    assert_eq!(
        events_without_lists(bob),
        ["ann joined", "ann left", "ann joined"],
        "at once, without a grace"
    );
}

#[tokio::test(start_paused = true)]
async fn an_invited_user_receives_the_membership_and_later_messages() {
    let hub = Hub::new(Limits::default(), publisher());
    let recorder = RecordingOutbox::with_capacity(9);
    let (_registration, ann) = connect_without_memberships(&hub, "ann", &recorder);
    let by = Cause { by: Some(user("bob").into()), ..Cause::default() };
    change(&hub, "ann", None, Some(as_role(Role::Member, 9)), &by);
    let post = Post {
        delivery: Delivery::new(Event::Entry(entry("lobby", 10))),
        origin: None,
        except: None,
    };
    hub.deliver(&lobby().place, &[post]);
    assert_eq!(events_without_lists(&recorder), ["Member of lobby", "message 10"]);
    let (_, tally) = ann.member(&lobby().place.conversation).unwrap();
    assert_eq!(tally.unread, 0, "the author has read the message");
}

/// Attaches a connection of a user without memberships.
fn connect_without_memberships(
    hub: &Arc<Hub>,
    name: &str,
    recorder: &Arc<RecordingOutbox>,
) -> (ConnectionRegistration, NameClaim) {
    let registration =
        hub.connections.register(Space::root(), Arc::clone(recorder) as Arc<dyn Outbox>, NOW);
    let mut name_claim = NameClaim::claim(hub, &Space::root(), &user(name), Proof::User).unwrap();
    drop(attach(&mut name_claim, connection_info(registration.id(), recorder)));
    (registration, name_claim)
}

#[tokio::test(start_paused = true)]
async fn receipts_reach_own_devices_at_once_and_others_once_a_second() {
    let hub = Hub::new(Limits::default(), publisher());
    let recorders = [(); 3].map(|()| RecordingOutbox::with_capacity(99));
    let [phone, laptop, bob] = &recorders;
    let (_bob, (phone_registration, _ann), _other) =
        (connect(&hub, "bob", bob), connect(&hub, "ann", phone), connect(&hub, "ann", laptop));
    run_for(&hub, Duration::from_millis(10)).await;
    let cause = Cause { origin: Some(phone_registration.id()), ..Cause::default() };
    for seq in 1..=4 {
        let (before, after) = (as_role(Role::Member, seq - 1), as_role(Role::Member, seq));
        change(&hub, "ann", Some(before), Some(after), &cause);
        run_for(&hub, Duration::from_millis(100)).await;
    }
    run_for(&hub, Duration::from_secs(1)).await;
    assert_eq!(events_without_lists(phone), [""; 0]);
    let own: Vec<_> = (1..=4).map(|seq| format!("ann read {seq}, {} unread", 9 - seq)).collect();
    assert_eq!(events_without_lists(laptop), own);
    assert_eq!(events_without_lists(bob), ["ann joined", "ann read 1", "ann read 4"]);
}

#[tokio::test(start_paused = true)]
async fn a_reply_moves_the_read_position_for_own_devices_and_others() {
    let hub = Hub::new(Limits::default(), publisher());
    let recorders = [(); 3].map(|()| RecordingOutbox::with_capacity(99));
    let [phone, laptop, bob] = &recorders;
    let (_bob, (phone_registration, _ann), _other) =
        (connect(&hub, "bob", bob), connect(&hub, "ann", phone), connect(&hub, "ann", laptop));
    let post = |author: &str, seq| {
        let entry = Entry { author: user(author), ..entry("lobby", seq) };
        let origin = (author == "ann").then(|| phone_registration.id());
        Post { delivery: Delivery::new(Event::Entry(entry)), origin, except: None }
    };
    let reads = |recorder: &RecordingOutbox| {
        let events = events_without_lists(recorder).into_iter();
        events.filter(|it| it.contains(" read ")).collect::<Vec<_>>()
    };
    hub.deliver(&lobby().place, &[post("bob", 1), post("bob", 2)]);
    hub.deliver(&lobby().place, &[post("ann", 3), post("ann", 4)]);
    run_for(&hub, Duration::from_secs(2)).await;
    assert_eq!(reads(phone), [""; 0], "the sending connection receives the answer");
    assert_eq!(reads(laptop), ["ann read 4, 0 unread"]);
    assert_eq!(reads(bob), ["ann read 3"]);
    hub.deliver(&lobby().place, &[post("ann", 5)]);
    run_for(&hub, Duration::from_secs(2)).await;
    assert_eq!((reads(laptop).len(), reads(bob).len()), (1, 1), "nothing of others was unread");
}

#[tokio::test(start_paused = true)]
async fn large_rooms_send_no_receipts() {
    let hub = Hub::new(Limits { receipts_members_max: 1, ..Limits::default() }, publisher());
    let bob = RecordingOutbox::with_capacity(99);
    let (_bob, _ann) =
        (connect(&hub, "bob", &bob), connect(&hub, "ann", &RecordingOutbox::with_capacity(9)));
    let (before, after) = (as_role(Role::Member, 0), as_role(Role::Member, 1));
    change(&hub, "ann", Some(before), Some(after), &Cause::default());
    run_for(&hub, Duration::from_secs(2)).await;
    assert_eq!(events_without_lists(&bob), ["ann joined"]);
}

#[tokio::test(start_paused = true)]
async fn typing_ends_on_timeout_message_and_disconnect() {
    let hub = Hub::new(Limits::default(), publisher());
    let bob = RecordingOutbox::with_capacity(99);
    let _bob = connect(&hub, "bob", &bob);
    let own = RecordingOutbox::with_capacity(99);
    let ann = connect(&hub, "ann", &own);
    let start_typing = || hub.typing.start(lobby().place, user("ann").into(), ann.0.id());
    start_typing();
    start_typing();
    run_for(&hub, Duration::from_secs(7)).await;
    assert_eq!(events_without_lists(&bob), ["ann joined", "ann types", "ann stopped"]);
    start_typing();
    let post = Post {
        delivery: Delivery::new(Event::Entry(entry("lobby", 1))),
        origin: None,
        except: None,
    };
    hub.deliver(&lobby().place, &[post]);
    run_for(&hub, Duration::from_secs(7)).await;
    assert_eq!(
        events_without_lists(&bob)[3..],
        ["ann types", "message 1"],
        "the message says that it ended"
    );
    start_typing();
    drop(ann);
    assert_eq!(events_without_lists(&bob)[5..], ["ann types", "ann stopped"]);
    assert_eq!(events_without_lists(&own), ["message 1"], "not for the user's own connections");
    run_for(&hub, Duration::from_secs(7)).await;
    assert!(hub.typing.next().is_none(), "ended states are removed");
}

#[tokio::test(start_paused = true)]
async fn typing_ends_with_the_right_to_type() {
    let hub = Hub::new(Limits::default(), publisher());
    let bob = RecordingOutbox::with_capacity(99);
    let _bob = connect(&hub, "bob", &bob);
    let (member, reader) = (as_role(Role::Member, 0), as_role(Role::Reader, 0));
    let (registration, mut ann) = connect(&hub, "ann", &RecordingOutbox::with_capacity(99));
    let (_second, mut other) = connect(&hub, "ann", &RecordingOutbox::with_capacity(99));
    let types = || hub.typing.start(lobby().place, user("ann").into(), registration.id());
    let received = || {
        let events = events_without_lists(&bob).into_iter();
        events.filter(|it| it == "ann types" || it == "ann stopped").count()
    };
    types();
    change(&hub, "ann", Some(member), None, &Cause::default());
    assert_eq!(received(), 2, "leaving");
    change(&hub, "ann", None, Some(member), &Cause::default());
    run_for(&hub, Duration::from_secs(3)).await;
    types();
    change(&hub, "ann", Some(member), Some(reader), &Cause::default());
    assert_eq!(received(), 4, "a role that may not send");
    change(&hub, "ann", Some(reader), Some(member), &Cause::default());
    run_for(&hub, Duration::from_secs(3)).await;
    types();
    renew(&mut other, Scope { rooms: Rooms::Only(Vec::new()), ..scope() });
    assert_eq!(received(), 5, "another connection lost the room");
    renew(&mut ann, Scope { rooms: Rooms::Only(Vec::new()), ..scope() });
    assert_eq!(received(), 6, "a narrower token");
    change(&hub, "ann", Some(member), None, &Cause::default());
    assert_eq!(received(), 6, "once");
}

#[tokio::test(start_paused = true)]
async fn typing_is_dropped_for_slow_readers() {
    let hub = Hub::new(Limits::default(), publisher());
    let bob = RecordingOutbox::with_capacity(5);
    let (_bob, ann) =
        (connect(&hub, "bob", &bob), connect(&hub, "ann", &RecordingOutbox::with_capacity(99)));
    run_for(&hub, Duration::from_millis(10)).await;
    hub.typing.start(lobby().place, user("ann").into(), ann.0.id());
    assert_eq!(events_without_lists(&bob), ["ann joined"], "more than half of the outbox is full");
}

#[tokio::test(start_paused = true)]
async fn a_notification_carries_the_unread_count() {
    let hub = Hub::new(Limits::default(), publisher());
    let recorder = RecordingOutbox::with_capacity(99);
    let _ann = connect(&hub, "ann", &recorder);
    let place = Place { conversation: Conversation::Inbox(user("ann")), ..lobby().place };
    for seq in 1..=2 {
        let entry = Entry { place: place.clone(), author: user("ann"), ..entry("lobby", seq) };
        let post =
            Post { delivery: Delivery::new(Event::Entry(entry)), origin: None, except: None };
        hub.deliver(&place, &[post]);
    }
    let notified = ["notification 1, 1 unread", "notification 2, 2 unread"];
    assert_eq!(events_without_lists(&recorder), notified, "also for one's own entries");
}

/// The users of the direct conversations in the `welcome` of a new connection.
fn listed_directs(hub: &Arc<Hub>, name: &str) -> Vec<UserName> {
    let mut name_claim = NameClaim::claim(hub, &Space::root(), &user(name), Proof::User).unwrap();
    let (mut listed, since) = (Vec::new(), BTreeMap::new());
    let id = ConnectionId::from_raw(NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed));
    let connection_info = connection_info(id, &RecordingOutbox::with_capacity(9));
    let mode = ReplayMode::Missed;
    let (scope, display_name) = (scope(), None);
    let request =
        AttachRequest { connection_info, scope, display_name, since: &since, mode, now: NOW };
    drop(name_claim.attach(request, |snapshot: WelcomeSnapshot| {
        listed = snapshot.directs.into_iter().map(|(user, _)| user).collect();
        Delivery::new(Event::Users(Vec::new()))
    }));
    listed
}

#[tokio::test(start_paused = true)]
async fn the_newest_direct_conversations_are_listed_also_of_those_that_began_live() {
    let hub = Hub::new(Limits::default(), publisher());
    let conversation = |number| Conversation::direct(user("ann"), user(&format!("bob {number}")));
    let place = |number| Place { conversation: conversation(number), ..lobby().place };
    let name_claim = NameClaim::claim(&hub, &Space::root(), &user("ann"), Proof::User).unwrap();
    let stored = (0..DIRECTS_LISTED_MAX).map(|number| {
        let log = Log { head: Position::from_raw(1, 1), ..Log::default() };
        Membership { place: place(number), log, ..lobby() }
    });
    hub.users.cache_memberships(name_claim.online_user(), stored.collect());
    let say = |number, seq| {
        let entry = Entry { place: place(number), author: user("ann"), ..entry("lobby", seq) };
        let delivery = Delivery::new(Event::Entry(entry));
        hub.deliver(&place(number), &[Post { delivery, origin: None, except: None }]);
    };
    let last = DIRECTS_LISTED_MAX - 1;
    say(last, 2);
    for number in DIRECTS_LISTED_MAX..DIRECTS_LISTED_MAX + 5 {
        say(number, 1);
    }
    let listed = listed_directs(&hub, "ann");
    assert_eq!(listed.len(), DIRECTS_LISTED_MAX);
    assert!(listed.is_sorted(), "by name");
    let is_listed = |number| listed.contains(&user(&format!("bob {number}")));
    assert!(is_listed(last) && is_listed(DIRECTS_LISTED_MAX + 4), "those with new messages");
    let older = (0..DIRECTS_LISTED_MAX).filter(|number| !is_listed(*number));
    assert!(older.eq(DIRECTS_LISTED_MAX - 6..last), "the oldest are not");
}

#[tokio::test(start_paused = true)]
async fn an_expired_guest_is_reported_once() {
    let hub = Hub::new(Limits::default(), publisher());
    let guest =
        connect_as(&hub, "ann", Proof::NewGuest("one".into()), &RecordingOutbox::with_capacity(9));
    let _user = connect(&hub, "bob", &RecordingOutbox::with_capacity(9));
    drop(guest);
    run_for(&hub, Duration::from_secs(4)).await;
    assert!(hub.users.take_expired_guests().is_empty(), "within the grace period");
    run_for(&hub, Duration::from_secs(3)).await;
    let gone = GuestName { space: Space::root(), user: user("ann"), guest_session: "one".into() };
    assert_eq!(hub.users.take_expired_guests(), [gone]);
    assert!(hub.users.take_expired_guests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_narrower_token_removes_the_connection_from_closed_rooms() {
    let hub = Hub::new(Limits::default(), publisher());
    let bob = RecordingOutbox::with_capacity(99);
    let (_bob, (_registration, mut ann)) =
        (connect(&hub, "bob", &bob), connect(&hub, "ann", &RecordingOutbox::with_capacity(9)));
    renew(&mut ann, Scope { rooms: Rooms::Only(Vec::new()), ..scope() });
    assert_eq!(ann.room(&RoomName::lobby()).unwrap_err(), Rejection::NotMember);
    renew(&mut ann, scope());
    assert!(ann.room(&RoomName::lobby()).is_ok());
    assert_eq!(events_without_lists(&bob), ["ann joined", "ann left", "ann joined"]);
}

#[test]
fn of_two_concurrent_users_exactly_one_receives_the_join_of_the_other() {
    const USERS: usize = 40;
    let hub = Hub::new(Limits::default(), publisher());
    let recorders: Vec<_> = (0..USERS).map(|_| RecordingOutbox::with_capacity(999)).collect();
    let connected = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for half in [0, 1] {
            let (hub, recorders, connected) = (&hub, &recorders, &connected);
            scope.spawn(move || {
                for number in (half..USERS).step_by(2) {
                    let connection = connect(hub, &format!("user{number}"), &recorders[number]);
                    connected.lock().unwrap().push(connection);
                }
            });
        }
    });
    let received: Vec<_> = recorders.iter().map(|recorder| recorder.events()).collect();
    assert!(received.iter().all(|events| events[0] == "1 users"), "welcome is the first");
    let has_joined =
        |one: usize, other: usize| received[one].contains(&format!("user{other} joined"));
    for one in 0..USERS {
        for other in 0..one {
            assert!(has_joined(one, other) != has_joined(other, one), "{one} and {other}");
        }
    }
}
