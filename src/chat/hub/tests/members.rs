//! What members hear of each other and of themselves: coming, leaving, reading, typing, mail.

use std::{sync::Mutex, thread};

use super::*;
use crate::chat::test_support::entry;

fn as_role(role: Role, read: u64) -> Member {
    Member::new(role, Position::from_raw(read, read))
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_on_one_device_is_out_on_all_of_them_and_in_again() {
    let hub = Hub::new(Limits::default(), herald());
    let shelves = [(); 3].map(|()| Shelf::with_room_for(99));
    let [phone, laptop, bob] = &shelves;
    let (_bob, (phone_line, ann), (_laptop, other)) =
        (come(&hub, "bob", bob), come(&hub, "ann", phone), come(&hub, "ann", laptop));
    let cause = Cause { origin: Some(phone_line.id()), ..Cause::default() };
    change(&hub, "ann", Some(as_role(Role::Member, 0)), None, &cause);
    assert!(ann.room(&RoomName::lobby()).is_err() && other.room(&RoomName::lobby()).is_err());
    change(&hub, "ann", None, Some(as_role(Role::Reader, 0)), &cause);
    assert_eq!(other.room(&RoomName::lobby()).unwrap().1, Role::Reader);
    assert_eq!(heard(phone), [""; 0], "who asked hears the answer");
    assert_eq!(heard(laptop), ["out of lobby", "Reader of lobby"]);
    assert_eq!(heard(bob), ["ann joined", "ann left", "ann joined"], "at once, without a grace");
}

#[tokio::test(start_paused = true)]
async fn who_is_invited_hears_it_and_what_is_said_from_then_on() {
    let hub = Hub::new(Limits::default(), herald());
    let shelf = Shelf::with_room_for(9);
    let (_line, ann) = reside_nowhere(&hub, "ann", &shelf);
    let by = Cause { by: Some(user("bob")), ..Cause::default() };
    change(&hub, "ann", None, Some(as_role(Role::Member, 9)), &by);
    let post = Post { delivery: Delivery::new(Event::Entry(entry("lobby", 10))), except: None };
    hub.deliver(&lobby().place, &[post]);
    assert_eq!(heard(&shelf), ["Member of lobby", "message 10"]);
    let (member, log) = ann.member(&lobby().place.conversation).unwrap();
    assert_eq!(log.unread(member.read), 0, "what one says oneself is read");
}

/// Comes in as somebody who is a member nowhere.
fn reside_nowhere(hub: &Arc<Hub>, name: &str, shelf: &Arc<Shelf>) -> (Registration, Residence) {
    let registration = hub.register(Arc::clone(shelf) as Arc<dyn Outbox>);
    let mut residence = Residence::claim(hub, &Space::root(), &user(name), Proof::User).unwrap();
    drop(settle(&mut residence, presence(registration.id(), shelf)));
    (registration, residence)
}

#[tokio::test(start_paused = true)]
async fn what_is_read_reaches_ones_own_at_once_and_others_once_a_second() {
    let hub = Hub::new(Limits::default(), herald());
    let shelves = [(); 3].map(|()| Shelf::with_room_for(99));
    let [phone, laptop, bob] = &shelves;
    let (_bob, (phone_line, _ann), _other) =
        (come(&hub, "bob", bob), come(&hub, "ann", phone), come(&hub, "ann", laptop));
    pass(&hub, Duration::from_millis(10)).await;
    let cause = Cause { origin: Some(phone_line.id()), ..Cause::default() };
    for seq in 1..=4 {
        let (before, after) = (as_role(Role::Member, seq - 1), as_role(Role::Member, seq));
        change(&hub, "ann", Some(before), Some(after), &cause);
        pass(&hub, Duration::from_millis(100)).await;
    }
    pass(&hub, Duration::from_secs(1)).await;
    assert_eq!(heard(phone), [""; 0]);
    let own: Vec<_> = (1..=4).map(|seq| format!("ann read {seq}, {} unread", 9 - seq)).collect();
    assert_eq!(heard(laptop), own);
    assert_eq!(heard(bob), ["ann joined", "ann read 1", "ann read 4"]);
}

#[tokio::test(start_paused = true)]
async fn in_a_large_room_nobody_is_told_how_far_others_have_read() {
    let hub = Hub::new(Limits { receipts_members_max: 1, ..Limits::default() }, herald());
    let bob = Shelf::with_room_for(99);
    let (_bob, _ann) = (come(&hub, "bob", &bob), come(&hub, "ann", &Shelf::with_room_for(9)));
    let (before, after) = (as_role(Role::Member, 0), as_role(Role::Member, 1));
    change(&hub, "ann", Some(before), Some(after), &Cause::default());
    pass(&hub, Duration::from_secs(2)).await;
    assert_eq!(heard(&bob), ["ann joined"]);
}

#[tokio::test(start_paused = true)]
async fn typing_ends_by_itself_by_a_message_and_with_the_connection() {
    let hub = Hub::new(Limits::default(), herald());
    let bob = Shelf::with_room_for(99);
    let _bob = come(&hub, "bob", &bob);
    let own = Shelf::with_room_for(99);
    let ann = come(&hub, "ann", &own);
    let types = || hub.types(lobby().place, &user("ann"), ann.0.id());
    types();
    types();
    pass(&hub, Duration::from_secs(7)).await;
    assert_eq!(heard(&bob), ["ann joined", "ann types", "ann stopped"]);
    types();
    let post = Post { delivery: Delivery::new(Event::Entry(entry("lobby", 1))), except: None };
    hub.deliver(&lobby().place, &[post]);
    pass(&hub, Duration::from_secs(7)).await;
    assert_eq!(heard(&bob)[3..], ["ann types", "message 1"], "the message says that it ended");
    types();
    drop(ann);
    assert_eq!(heard(&bob)[5..], ["ann types", "ann stopped"]);
    assert_eq!(heard(&own), ["message 1"], "one knows what one types");
    pass(&hub, Duration::from_secs(7)).await;
    assert!(hub.typing.next().is_none(), "nothing is remembered for ever");
}

#[tokio::test(start_paused = true)]
async fn who_reads_slowly_is_spared_the_typing_of_others() {
    let hub = Hub::new(Limits::default(), herald());
    let bob = Shelf::with_room_for(5);
    let (_bob, ann) = (come(&hub, "bob", &bob), come(&hub, "ann", &Shelf::with_room_for(99)));
    pass(&hub, Duration::from_millis(10)).await;
    hub.types(lobby().place, &user("ann"), ann.0.id());
    assert_eq!(heard(&bob), ["ann joined"], "more than half of the shelf is full");
}

#[tokio::test(start_paused = true)]
async fn a_notification_says_how_many_are_unread() {
    let hub = Hub::new(Limits::default(), herald());
    let shelf = Shelf::with_room_for(99);
    let _ann = come(&hub, "ann", &shelf);
    let place = Place { conversation: Conversation::Inbox(user("ann")), ..lobby().place };
    for seq in 1..=2 {
        let entry = Entry { place: place.clone(), author: user("ann"), ..entry("lobby", seq) };
        let post = Post { delivery: Delivery::new(Event::Entry(entry)), except: None };
        hub.deliver(&place, &[post]);
    }
    let notified = ["notification 1, 1 unread", "notification 2, 2 unread"];
    assert_eq!(heard(&shelf), notified, "also to oneself");
}

#[tokio::test(start_paused = true)]
async fn guests_who_will_not_come_back_are_told_of_once() {
    let hub = Hub::new(Limits::default(), herald());
    let guest = come_as(&hub, "ann", Proof::NewGuest("one".into()), &Shelf::with_room_for(9));
    let _user = come(&hub, "bob", &Shelf::with_room_for(9));
    drop(guest);
    pass(&hub, Duration::from_secs(4)).await;
    assert!(hub.take_gone().is_empty(), "they may come back");
    pass(&hub, Duration::from_secs(3)).await;
    let gone = GuestName { space: Space::root(), user: user("ann"), stay: "one".into() };
    assert_eq!(hub.take_gone(), [gone]);
    assert!(hub.take_gone().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_opens_less_takes_the_connection_out_of_the_rest() {
    let hub = Hub::new(Limits::default(), herald());
    let bob = Shelf::with_room_for(99);
    let (_bob, (_line, ann)) =
        (come(&hub, "bob", &bob), come(&hub, "ann", &Shelf::with_room_for(9)));
    ann.refit(Scope { rooms: Rooms::Only(Vec::new()), ..scope() });
    assert_eq!(ann.room(&RoomName::lobby()).unwrap_err(), Rejection::NotMember);
    ann.refit(scope());
    assert!(ann.room(&RoomName::lobby()).is_ok());
    assert_eq!(heard(&bob), ["ann joined", "ann left", "ann joined"]);
}

#[test]
fn of_two_who_come_at_once_one_hears_of_the_other_after_the_welcome() {
    const USERS: usize = 40;
    let hub = Hub::new(Limits::default(), herald());
    let shelves: Vec<_> = (0..USERS).map(|_| Shelf::with_room_for(999)).collect();
    let inside = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for half in [0, 1] {
            let (hub, shelves, inside) = (&hub, &shelves, &inside);
            scope.spawn(move || {
                for number in (half..USERS).step_by(2) {
                    let come = come(hub, &format!("user{number}"), &shelves[number]);
                    inside.lock().unwrap().push(come);
                }
            });
        }
    });
    let told: Vec<_> = shelves.iter().map(|shelf| shelf.events()).collect();
    assert!(told.iter().all(|events| events[0] == "1 users"), "welcome is the first");
    let heard = |one: usize, other: usize| told[one].contains(&format!("user{other} joined"));
    for one in 0..USERS {
        for other in 0..one {
            assert!(heard(one, other) != heard(other, one), "{one} and {other}");
        }
    }
}
