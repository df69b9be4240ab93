//! Sessions whose right to go on ends, with a clock that the tests move.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use time::{OffsetDateTime, macros::datetime};
use tokio::sync::oneshot;

use super::*;
use crate::{
    auth::KeyTokens,
    bus::LocalBus,
    chat::{
        Devices, Guests, Hello, Parts, Reply, RoomPost, Rules,
        ports::{Claims, Clock, IdSource as _, Tokens as _},
        test_support::Shelf,
    },
    clock::RandomIds,
    domain::{Body, Limits, NodeId, Secret, Token},
    store::MemoryStore,
};

const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

/// A clock that stands still until it is set.
#[derive(Clone)]
struct Watch(Arc<Mutex<OffsetDateTime>>);

impl Clock for Watch {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct House {
    chat: Arc<Chat>,
    tokens: KeyTokens,
    watch: Watch,
}

impl House {
    /// A chat whose journal stores nothing: what gets as far as there is not answered.
    fn new() -> Self {
        let watch = Watch(Arc::new(Mutex::new(NOW)));
        let tokens = KeyTokens::new(&Secret::from_raw(&[7; 32]), Arc::new(watch.clone()));
        let (chat, _writer) = Chat::new(Parts {
            store: Arc::new(MemoryStore::default()),
            bus: Arc::new(LocalBus),
            tokens: Arc::new(tokens.clone()),
            clock: Arc::new(watch.clone()),
            ids: Arc::new(RandomIds),
            rules: Rules {
                limits: Limits::default(),
                guests: Guests::On,
                guest_lifetime: Duration::from_mins(10),
                devices: Devices::Many,
                spaces: Vec::new(),
                node: NodeId::from_raw(&RandomIds.secret()),
            },
        });
        Self { chat, tokens, watch }
    }

    fn token(&self, user: &str, good: Duration) -> Token {
        self.tokens.issue(&Claims::of(UserName::from_raw(user), NOW + good)).unwrap()
    }

    async fn enter(&self, token: Option<Token>) -> (Session, Arc<Shelf>) {
        let told = Shelf::with_room_for(99);
        let since = Vec::new();
        let hello = Hello { space: Space::root(), token, device: None, room: None, since };
        let admission = self.chat.admit(hello).await.unwrap();
        (admission.enter(Arc::clone(&told) as Arc<dyn Outbox>).await, told)
    }
}

async fn ask(session: &mut Session, request: Request) -> Reply {
    let (answer, answered) = oneshot::channel();
    session.on(request, Box::new(|reply| drop(answer.send(reply)))).await;
    answered.await.unwrap_or(Err(Rejection::Unavailable))
}

fn post() -> Request {
    let body = Body::from_raw("\"hi\"".into(), Vec::new());
    Request::Send(RoomPost { room: None, body, id: None })
}

#[tokio::test(start_paused = true)]
async fn when_its_time_is_over_a_session_takes_nothing_though_nobody_has_closed_it() {
    let house = House::new();
    let token = house.token("ann", Duration::from_mins(1));
    let (mut ann, _shelf) = house.enter(Some(token)).await;
    assert!(ask(&mut ann, Request::GroupList { room: None }).await.is_ok());
    *house.watch.0.lock().unwrap() = NOW + Duration::from_mins(1);
    assert_eq!(ask(&mut ann, post()).await.unwrap_err(), Rejection::TokenExpired);
    let fresh = Request::Auth { token: house.token("ann", Duration::from_hours(1)) };
    assert_eq!(ask(&mut ann, fresh).await.unwrap_err(), Rejection::TokenExpired, "too late");
}

#[tokio::test(start_paused = true)]
async fn a_guest_whose_name_is_a_users_now_says_nothing_more_under_it() {
    let house = House::new();
    let (mut guest, shelf) = house.enter(None).await;
    let user = UserName::parse_guest("ann").unwrap();
    assert!(ask(&mut guest, Request::Identify { user, device: None }).await.is_ok());
    let (_user, _) = house.enter(Some(house.token("ann", Duration::from_mins(1)))).await;
    assert!(shelf.events().contains(&"closed NameTaken".to_owned()));
    assert_eq!(ask(&mut guest, post()).await.unwrap_err(), Rejection::Unauthorized);
}
