//! Sessions without a socket, with a manual clock and a store that counts its calls.

mod asks;
mod counting;
mod denials;
mod drain;
mod members;
mod paging;
mod readiness;
mod reconnect;
mod rights;

use std::time::Duration;

use parking_lot::Mutex;
use time::{OffsetDateTime, macros::datetime};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use self::counting::CountingStore;
use super::*;
use crate::{
    auth::KeyTokens,
    bus::LocalBus,
    chat::{
        Backends, ChatParts, ChatRules, Hello, JournalWriter, Replaceable, Reply, RequestRules,
        RoomPost,
        ports::{Claims, ClientInfo, Clock, IdSource as _, NoApiKeys, NoMetrics, Tokens as _},
        test_support::{RecordingOutbox, rules},
    },
    clock::RandomIds,
    domain::{Body, Limits, NodeId, Secret, Token},
    store::MemoryNodes,
};

const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

/// A clock that the test sets.
#[derive(Clone)]
struct ManualClock(Arc<Mutex<OffsetDateTime>>);

impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock()
    }
}

struct Fixture {
    chat: Arc<Chat>,
    tokens: KeyTokens,
    clock: ManualClock,
}

impl Fixture {
    /// A chat on a store, and its journal writer.
    fn on(store: &Arc<CountingStore>, limits: Limits) -> (Self, JournalWriter) {
        let clock = ManualClock(Arc::new(Mutex::new(NOW)));
        let tokens = KeyTokens::new(&Secret::from_raw(&[7; 32]), Arc::new(clock.clone()));
        let (chat, writer) = Chat::new(ChatParts {
            store: Arc::<CountingStore>::clone(store),
            bus: Arc::new(LocalBus::default()),
            nodes: Arc::new(MemoryNodes::single(NodeId::from_raw("alone"))),
            tokens: Arc::new(tokens.clone()),
            clock: Arc::new(clock.clone()),
            ids: Arc::new(RandomIds),
            metrics: Arc::new(NoMetrics),
            backends: Backends::default(),
            api_keys: Arc::new(NoApiKeys),
            webhooks: None,
            tracer: None,
            rules: ChatRules {
                requests: Replaceable::new(RequestRules {
                    limits: Arc::new(limits),
                    ..RequestRules::default()
                }),
                ..rules(NodeId::from_raw(&RandomIds.secret()))
            },
        });
        (Self { chat, tokens, clock }, writer)
    }

    fn token(&self, user: &str, lifetime: Duration) -> Token {
        self.tokens.issue(&Claims::of(UserName::from_raw(user), NOW + lifetime)).unwrap()
    }

    async fn enter(&self, token: Option<Token>) -> (Session, Arc<RecordingOutbox>) {
        self.enter_since(token, Vec::new()).await
    }

    async fn enter_since(
        &self,
        token: Option<Token>,
        since: Vec<(RoomName, Seq)>,
    ) -> (Session, Arc<RecordingOutbox>) {
        let outbox = RecordingOutbox::with_capacity(9999);
        let (device, room, epoch) = (None, None, None);
        let hello = Hello {
            space: Space::root(),
            token,
            device,
            room,
            since,
            epoch,
            client: ClientInfo::default(),
        };
        let admission = self.chat.admit(hello).await.unwrap();
        (admission.enter(Arc::clone(&outbox) as Arc<dyn Outbox>).await, outbox)
    }
}

/// Runs a test with a chat on a new store.
async fn with_chat<T>(test: impl AsyncFnOnce(&Fixture) -> T) -> T {
    with_chat_on(&Arc::default(), Limits::default(), test).await
}

/// The same on a store that may contain data.
async fn with_chat_on<T>(
    store: &Arc<CountingStore>,
    limits: Limits,
    test: impl AsyncFnOnce(&Fixture) -> T,
) -> T {
    let (fixture, writer) = Fixture::on(store, limits);
    tokio::select! {
        () = writer.run(CancellationToken::new()) => unreachable!("the writer was not cancelled"),
        () = Box::pin(Arc::clone(&fixture.chat).run_denials()) => unreachable!("it runs for ever"),
        out = test(&fixture) => out,
    }
}

async fn ask(session: &mut Session, request: Request) -> Reply {
    let (answer, answered) = oneshot::channel();
    session.handle(request, Box::new(|reply| drop(answer.send(reply)))).await;
    answered.await.unwrap_or(Err(Rejection::Unavailable))
}

fn post() -> Request {
    let body = Body::from_raw("\"hi\"".into(), Vec::new());
    Request::Send(RoomPost { room: None, body, id: None })
}
