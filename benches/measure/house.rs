//! A chat without transports: the real one, with connections that only count what they hear.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use roomcast::{
    auth::KeyTokens,
    bus::LocalBus,
    chat::{
        Chat, Devices, Guests, Hello, Parts, Request, RoomPost, Rules, Session,
        event::Delivery,
        ports::{Outbox, Overflow, Store},
    },
    clock::{RandomIds, SystemClock},
    domain::{Body, CloseReason, Limits, NodeId, RoomName, Secret, Space, UserName},
    tasks::Tasks,
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{Notify, oneshot},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// As long as what people write in a chat, in bytes.
const TEXT_BYTES: usize = 64;
/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// A chat, the runtime that its journal runs on, and the tasks there.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) runtime: Runtime,
    chat: Arc<Chat>,
    tasks: Tasks,
    finish: CancellationToken,
}

impl House {
    /// Opens a chat over a store.
    pub(crate) fn open<S: Store>(store: impl AsyncFnOnce() -> S) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let (tasks, finish) = (Tasks::new(), CancellationToken::new());
        let chat = runtime.block_on(async {
            let clock = Arc::new(SystemClock);
            let secret = Secret::from_raw(&[7; 32]);
            let (chat, writer) = Chat::new(Parts {
                store: Arc::new(store().await),
                bus: Arc::new(LocalBus),
                tokens: Arc::new(KeyTokens::new(&secret, Arc::<SystemClock>::clone(&clock))),
                clock,
                ids: Arc::new(RandomIds),
                rules: rules(),
            });
            tasks.spawn_vital("journal", writer.run(finish.clone()));
            chat
        });
        Self { runtime, chat, tasks, finish }
    }

    /// Lets somebody in, as the user with this number, whose home is `room`.
    pub(crate) async fn guest(
        &self,
        number: usize,
        room: &RoomName,
        outbox: Arc<dyn Outbox>,
    ) -> Session {
        let hello = Hello {
            space: Space::root(),
            token: None,
            device: None,
            room: Some(room.clone()),
            since: Vec::new(),
        };
        let admission = self.chat.admit(hello).await.expect("guests are let in");
        let mut session = admission.enter(outbox).await;
        let user = UserName::from_raw(&format!("user {number}"));
        let (answer, answered) = oneshot::channel();
        let answer = Box::new(|reply| drop(answer.send(reply)));
        session.on(Request::Identify { user, device: None }, answer).await;
        let reply = answered.await.expect("every request is answered");
        reply.expect("nobody else has the name");
        session
    }

    /// Stores what was taken and ends, in bounded time.
    pub(crate) fn close(self) {
        let Self { runtime, chat, tasks, finish } = self;
        chat.drain();
        finish.cancel();
        let ended = runtime.block_on(tasks.finish(PATIENCE));
        ended.expect("the journal ends when it is told to");
    }
}

/// Says something in the default room, and waits until it is stored.
pub(crate) async fn say(session: &mut Session, body: &Body) {
    let (answer, answered) = oneshot::channel();
    let answer = Box::new(|reply| drop(answer.send(reply)));
    session.on(post(body), answer).await;
    let reply = answered.await.expect("every request is answered");
    reply.expect("the message is stored");
}

/// `send message`, to the default room.
pub(crate) fn post(body: &Body) -> Request {
    Request::Send(RoomPost { room: None, body: body.clone(), id: None })
}

/// What people write in a chat.
pub(crate) fn small_body() -> Body {
    let text = format!("\"{}\"", "x".repeat(TEXT_BYTES));
    Body::from_raw(text.into(), Vec::new())
}

/// No pace, and no presence: what is measured is the way of a message.
fn rules() -> Rules {
    Rules {
        limits: Limits {
            messages_per_second_max: NonZeroU32::MAX,
            messages_burst_max: NonZeroU32::MAX,
            presence_list_max: 0,
            ..Limits::default()
        },
        guests: Guests::On,
        guest_lifetime: Duration::from_hours(1),
        devices: Devices::Many,
        spaces: Vec::new(),
        node: NodeId::from_raw("bench"),
    }
}

/// What one kind of connection does with a delivery. Answers how many bytes it would write.
pub(crate) type Take = fn(&Arc<Delivery>, &Limits) -> u64;

/// How much all connections have heard together.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    messages: AtomicU64,
    bytes: AtomicU64,
    wanted: AtomicU64,
    reached: Notify,
}

impl Tally {
    /// Waits until `messages` more than at the last call have been heard.
    ///
    /// # Panics
    ///
    /// When that takes so long that something was lost.
    pub(crate) async fn more(&self, messages: u64) {
        let wanted = self.wanted.fetch_add(messages, Ordering::SeqCst) + messages;
        let heard = async {
            while self.messages.load(Ordering::SeqCst) < wanted {
                self.reached.notified().await;
            }
        };
        timeout(PATIENCE, heard).await.expect("everybody hears everything");
    }

    fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let heard = self.messages.fetch_add(1, Ordering::SeqCst) + 1;
        if heard == self.wanted.load(Ordering::SeqCst) {
            self.reached.notify_one();
        }
    }
}

/// A connection that takes messages as fast as they come.
#[derive(Debug)]
pub(crate) struct CountingOutbox {
    limits: Limits,
    tally: Arc<Tally>,
    take: Take,
}

impl CountingOutbox {
    pub(crate) fn new(tally: &Arc<Tally>, take: Take) -> Arc<Self> {
        Arc::new(Self { limits: rules().limits, tally: Arc::clone(tally), take })
    }
}

#[async_trait]
impl Outbox for CountingOutbox {
    fn push(&self, delivery: &Arc<Delivery>) -> Result<(), Overflow> {
        if delivery.message().is_some() {
            self.tally.add((self.take)(delivery, &self.limits));
        }
        Ok(())
    }

    async fn relieved(&self) {}

    fn is_revoked(&self) -> bool {
        false
    }

    fn close(&self, _: CloseReason) {}
}
