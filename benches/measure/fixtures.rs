//! A real chat without transports. Its connections only count events.

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
        Backends, Chat, ChatParts, ChatRules, Hello, Replaceable, Request, RequestRules,
        RetentionRules, RoomPost, Session,
        event::{Delivery, Event, MissedEntries, MissedRun},
        ports::{
            Carrier, Claims, ClientInfo, Clock as _, NoApiKeys, NoMetrics, Outbox, Overflow, Peer,
            Store, Tokens as _,
        },
    },
    clock::{RandomIds, SystemClock},
    domain::{
        Body, CloseReason, DevicePolicy, EmitterMode, EventRules, GuestDevices, Guests, Limits,
        NodeId, RoomName, RoomRules, Secret, Seq, Space, UserName,
    },
    store::MemoryNodes,
    tasks::Tasks,
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{Notify, oneshot},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// The length of a typical chat message, in bytes.
const TEXT_BYTES: usize = 64;
/// Far longer than any step takes.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// A chat, with the runtime and the tasks of its journal.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) runtime: Runtime,
    chat: Arc<Chat>,
    tokens: KeyTokens,
    tasks: Tasks,
    finish: CancellationToken,
}

impl Fixture {
    /// Opens a chat over a new store, without presence events.
    pub(crate) fn open<S: Store>(store: impl AsyncFnOnce() -> S) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let store = runtime.block_on(async { Arc::new(store().await) as Arc<dyn Store> });
        Self::with_store(runtime, store, bench_limits())
    }

    /// Opens a chat over a store that is open.
    pub(crate) fn with_store(runtime: Runtime, store: Arc<dyn Store>, limits: Limits) -> Self {
        let secret = Secret::from_raw(&[7; 32]);
        let tokens = KeyTokens::new(&secret, Arc::new(SystemClock));
        let (tasks, finish) = (Tasks::new(), CancellationToken::new());
        let chat = runtime.block_on(async {
            let (chat, writer) = Chat::new(ChatParts {
                store,
                bus: Arc::new(LocalBus::default()),
                nodes: Arc::new(MemoryNodes::single(NodeId::from_raw("alone"))),
                tokens: Arc::new(tokens.clone()),
                clock: Arc::new(SystemClock),
                ids: Arc::new(RandomIds),
                metrics: Arc::new(NoMetrics),
                backends: Backends::default(),
                api_keys: Arc::new(NoApiKeys),
                webhooks: None,
                tracer: None,
                rules: rules(limits),
            });
            tasks.spawn_vital("journal", writer.run(finish.clone()));
            let (timers, stop) = (Arc::clone(&chat).run_timers(), finish.clone());
            tasks.spawn("hub timers", async move {
                tokio::select! {
                    () = timers => (),
                    () = stop.cancelled() => (),
                }
            });
            chat
        });
        Self { runtime, chat, tokens, tasks, finish }
    }

    /// Connects the guest with this number to `room`.
    pub(crate) async fn connect_guest(
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
            epoch: None,
            client: ClientInfo::default(),
        };
        let admission = self.chat.admit(hello).await.expect("guests are admitted");
        let mut session = admission.enter(outbox).await;
        let user = UserName::from_raw(&format!("user {number}"));
        let (answer, answered) = oneshot::channel();
        let answer = Box::new(|reply| drop(answer.send(reply)));
        session.handle(Request::Identify { user, device: None }, answer).await;
        let reply = answered.await.expect("every request is answered");
        reply.expect("the name is free");
        session
    }

    /// Connects the user with this number by a token, with its position in the lobby.
    pub(crate) async fn connect_user(
        &self,
        number: usize,
        since: Option<Seq>,
        outbox: Arc<dyn Outbox>,
    ) -> Session {
        let until = SystemClock.now() + Duration::from_hours(1);
        let user = UserName::from_raw(&format!("user {number}"));
        let token = self.tokens.issue(&Claims::of(user, until)).expect("a token can be made");
        let hello = Hello {
            space: Space::root(),
            token: Some(token),
            device: None,
            room: None,
            since: since.map(|seq| (RoomName::lobby(), seq)).into_iter().collect(),
            epoch: None,
            client: ClientInfo::default(),
        };
        let admission = self.chat.admit(hello).await.expect("users are admitted");
        admission.enter(outbox).await
    }

    /// Commits queued messages and stops, in bounded time.
    pub(crate) fn close(self) {
        drop(self.end());
    }

    /// The same; returns the runtime for another chat.
    pub(crate) fn end(self) -> Runtime {
        let Self { runtime, chat, tokens: _, tasks, finish } = self;
        chat.drain();
        finish.cancel();
        let ended = runtime.block_on(tasks.finish(WAIT_MAX));
        ended.expect("the journal ends");
        runtime
    }
}

/// Posts to the default room, and waits until the message is stored.
pub(crate) async fn post_and_wait(session: &mut Session, body: &Body) {
    let (answer, answered) = oneshot::channel();
    let answer = Box::new(|reply| drop(answer.send(reply)));
    session.handle(post(body), answer).await;
    let reply = answered.await.expect("every request is answered");
    reply.expect("the message is stored");
}

/// `send message` to the default room.
pub(crate) fn post(body: &Body) -> Request {
    Request::Send(RoomPost { room: None, body: body.clone(), id: None })
}

/// A typical chat message.
pub(crate) fn small_body() -> Body {
    let text = format!("\"{}\"", "x".repeat(TEXT_BYTES));
    Body::from_raw(text.into(), Vec::new())
}

/// Without rate limits and presence: only the path of a message is measured.
pub(crate) fn bench_limits() -> Limits {
    Limits {
        messages_per_second_max: NonZeroU32::MAX,
        messages_burst_max: NonZeroU32::MAX,
        presence_list_max: 0,
        ..Limits::default()
    }
}

fn rules(limits: Limits) -> ChatRules {
    let requests = RequestRules { limits: Arc::new(limits), events: EventRules::default() };
    ChatRules {
        requests: Replaceable::new(requests),
        guests: Guests::On,
        guest_lifetime: Duration::from_hours(1),
        guest_devices: GuestDevices::Accepted,
        devices: DevicePolicy::Many,
        spaces: Vec::new(),
        emitters: EmitterMode::Off,
        clock_interval: None,
        rooms: Replaceable::new(RoomRules::default()),
        retention: RetentionRules::default(),
        node: NodeId::from_raw("bench"),
        host: "bench".into(),
        reserved: Vec::new(),
    }
}

/// The work of one kind of connection for a delivery. Returns the number of bytes that it would
/// write.
pub(crate) type Encode = fn(&Arc<Delivery>, &Limits) -> u64;

/// Counts the events of all connections.
#[derive(Debug, Default)]
pub(crate) struct EntryCounter {
    messages: AtomicU64,
    bytes: AtomicU64,
    wanted: AtomicU64,
    reached: Notify,
}

impl EntryCounter {
    /// Waits until `messages` more than at the last call were received.
    ///
    /// # Panics
    ///
    /// After a timeout, which means that a message was lost.
    pub(crate) async fn wait_for_more(&self, messages: u64) {
        let wanted = self.wanted.fetch_add(messages, Ordering::SeqCst) + messages;
        let received = async {
            while self.messages.load(Ordering::SeqCst) < wanted {
                self.reached.notified().await;
            }
        };
        timeout(WAIT_MAX, received).await.expect("every connection receives everything");
    }

    fn add(&self, messages: u64, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let received = self.messages.fetch_add(messages, Ordering::SeqCst) + messages;
        if received >= self.wanted.load(Ordering::SeqCst) {
            self.reached.notify_one();
        }
    }
}

/// A connection that consumes messages without delay.
#[derive(Debug)]
pub(crate) struct CountingOutbox {
    limits: Limits,
    counter: Arc<EntryCounter>,
    encode: Encode,
}

impl CountingOutbox {
    pub(crate) fn new(counter: &Arc<EntryCounter>, encode: Encode) -> Arc<Self> {
        Arc::new(Self { limits: bench_limits(), counter: Arc::clone(counter), encode })
    }
}

#[async_trait]
impl Outbox for CountingOutbox {
    fn push(&self, delivery: &Arc<Delivery>) -> Result<(), Overflow> {
        let entries = match delivery.event() {
            Event::Entry(_) => 1,
            Event::Missed(MissedEntries { run: MissedRun::Recovered { entries, .. }, .. }) => {
                entries.len()
            }
            _ => 0,
        };
        if entries > 0 {
            self.counter.add(entries as u64, (self.encode)(delivery, &self.limits));
        }
        Ok(())
    }

    fn offer(&self, _: &Arc<Delivery>) {}

    async fn wait_for_capacity(&self) {}

    fn is_revoked(&self) -> bool {
        false
    }

    fn close(&self, _: CloseReason) {}

    fn peer(&self) -> Peer {
        Peer { carrier: Carrier::PlainWebSocket, address: None }
    }
}
