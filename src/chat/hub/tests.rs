//! The hub with time that the tests move: graces, names, presence that is told once a second.

use std::{sync::Arc, time::Duration};

use tokio::time::{advance, sleep};

use super::*;
use crate::{
    chat::test_support::Shelf,
    domain::{Rejection, RoomName, Seq},
};

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

/// Comes into the lobby.
fn come(hub: &Arc<Hub>, name: &str, shelf: &Arc<Shelf>) -> (Registration, Attachment) {
    let outbox = Arc::clone(shelf) as Arc<dyn Outbox>;
    let registration = hub.register(Arc::clone(&outbox));
    let topic = hub.topic(&Place::room(&Space::root(), &RoomName::lobby()));
    topic.learn_head(Seq::ZERO);
    let connection = registration.id();
    let attached = Attached { connection, user: user(name), outbox, standing: Standing::Home };
    let cursor = Cursor { after: Seq::ZERO, telling: Telling::Live };
    let (_, attachment) = hub.attach(&topic, &attached, cursor);
    (registration, attachment.unwrap())
}

/// Lets the roll be called while `time` passes.
async fn pass(hub: &Arc<Hub>, time: Duration) {
    tokio::select! {
        () = Arc::clone(hub).call_roll() => unreachable!("the roll is called for ever"),
        () = sleep(time) => (),
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_told_after_the_grace_and_a_return_is_not() {
    let hub = Hub::new(Limits::default());
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
    let hub = Hub::new(Limits::default());
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
    let hub = Hub::new(Limits::default());
    let (root, ann) = (Space::root(), user("ann"));
    let new = |stay: &str| Proof::NewGuest(stay.to_owned());
    let mut first = Residence::claim(&hub, &root, &ann, new("one")).unwrap();
    let registration = hub.register(Shelf::with_room_for(9));
    first.open(registration.id(), Shelf::with_room_for(9));
    let claim = |proof| Residence::claim(&hub, &root, &ann, proof);
    assert_eq!(claim(new("two")).unwrap_err(), Rejection::NameTaken);
    assert_eq!(claim(Proof::Guest("other".to_owned())).unwrap_err(), Rejection::NameTaken);
    assert!(claim(Proof::Guest("one".to_owned())).is_ok());
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
    let hub = Hub::new(Limits::default());
    for name in ["ann", "bob"] {
        let (_registration, attachment) = come(&hub, name, &Shelf::with_room_for(99));
        let mut residence =
            Residence::claim(&hub, &Space::root(), &user(name), Proof::User).unwrap();
        residence.open(attachment.connection, Shelf::with_room_for(9));
    }
    pass(&hub, Duration::from_secs(7)).await;
    let state = hub.lock();
    assert!(state.outboxes.is_empty() && state.topics.is_empty());
    drop(state);
    assert!(!hub.is_online(&Space::root(), &user("ann")));
    assert!(Residence::claim(&hub, &Space::root(), &user("ann"), Proof::User).is_ok());
}
