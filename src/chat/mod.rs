//! The chat service: sessions, messages, rooms, history and presence, and the ports that it needs.
//!
//! A transport makes a [`Hello`] of a connection's handshake and passes it to [`Chat::admit`]. It
//! enters the admission with an [`Outbox`](ports::Outbox) and passes each [`Request`] to the
//! [`Session`] in the order of arrival. It makes no decisions.

mod actions;
mod admin;
mod admission;
mod api;
mod api_pace;
mod ask;
mod backends;
mod bans;
mod cluster;
mod dead_letters;
mod delivery_time;
mod denials;
mod directory;
mod drain;
mod emitter;
pub mod event;
mod fault;
mod hub;
mod journal;
mod leaving;
mod lists;
pub mod ports;
mod posting;
mod publisher;
mod readiness;
mod reads;
mod replaceable;
mod request;
mod revocations;
mod room_changes;
mod session;
mod sign_in;
mod status;
#[cfg(test)]
pub(crate) mod test_support;
mod transfer;
mod webhooks;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub use self::{
    actions::ActionResult,
    admin::{
        AdminChange, AdminCommand, AdminRequest, AdminSnapshot, AdminSocket, AdminView,
        ServerCounts,
    },
    admission::Admission,
    api::{ApiAnswer, ApiQuestion, ApiRequest, ApiTopic},
    ask::AskRequest,
    backends::{Backends, OnFailure, RegisteredBackend},
    bans::{Ban, BanRequest, BansQuestion},
    dead_letters::{DeadLetterPage, DeadLetterQuery, ResendRequest},
    delivery_time::DeliveryTimer,
    drain::DrainPace,
    emitter::{EmitterEffect, EmitterPacket},
    hub::{ContinuedSession, FoundWaiting, Lookup, Repeats, SessionSnapshot, WaitingSessions},
    journal::JournalWriter,
    lists::{ConnectionPage, ListPage, ListedMember, ListedRoom, ListedUser, RoomDetails},
    readiness::{FailureCause, NodePart, PartFailure, Readiness},
    replaceable::Replaceable,
    request::{
        Answer, CustomPost, DirectoryRoom, Hello, ListRange, MemberPage, Receipt, Reply,
        ReplyCallback, Request, RequestContext, RequestRules, RoomMember, RoomPage, RoomPost,
        UserPresence,
    },
    revocations::{ListedRevocation, Revocation, RevokedTokens},
    room_changes::RoomChange,
    session::{DrainGuard, Session},
    sign_in::{Credential, Profile, SignedIn},
    status::{EngineState, Gauges},
    transfer::SessionTransfer,
    webhooks::{WebhookParts, WebhookSender, WebhookTarget},
};
use self::{
    api_pace::ApiPaces,
    cluster::{Cluster, ClusterParts},
    denials::DenialQueue,
    hub::Hub,
    journal::{Journal, More, WriterParts},
    ports::{
        ApiKeys, Bus, Clock, DenialSnapshot, GuestExpired, GuestName, IdSource, Metrics, Nodes,
        OnlineGuest, SpanHandle, SpanKind, Store, Tokens, Tracer, TrimLimits,
    },
    publisher::Publisher,
    readiness::Probes,
    webhooks::{PresenceRecorder, SenderParts, Webhooks},
};
use crate::domain::{
    DevicePolicy, EmitterMode, GuestDevices, Guests, Limits, NodeId, RoomRules, Space, SpacePattern,
};

/// The engines and rules of a chat.
#[expect(missing_debug_implementations, reason = "engines need not print")]
pub struct ChatParts {
    /// Stores messages, rooms and users.
    pub store: Arc<dyn Store>,
    /// Carries announcements between nodes.
    pub bus: Arc<dyn Bus>,
    /// Lists the live nodes.
    pub nodes: Arc<dyn Nodes>,
    /// Issues and verifies tokens.
    pub tokens: Arc<dyn Tokens>,
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// Generates ids.
    pub ids: Arc<dyn IdSource>,
    /// Receives metric events.
    pub metrics: Arc<dyn Metrics>,
    /// The back ends.
    pub backends: Backends,
    /// The keys of the HTTP API.
    pub api_keys: Arc<dyn ApiKeys>,
    /// The webhooks, if there are any.
    pub webhooks: Option<WebhookParts>,
    /// Traces requests, if the settings name a collector.
    pub tracer: Option<Arc<dyn Tracer>>,
    /// The operator's settings.
    pub rules: ChatRules,
}

/// The operator's settings.
#[derive(Clone, Debug)]
pub struct ChatRules {
    /// The size limits, and the rules for events.
    pub requests: Replaceable<RequestRules>,
    /// Whether clients may connect without a token.
    pub guests: Guests,
    /// How long a guest's token is valid.
    pub guest_lifetime: Duration,
    /// Whether a guest without a token is recognised by its device.
    pub guest_devices: GuestDevices,
    /// The number of devices that a user may have online.
    pub devices: DevicePolicy,
    /// The spaces in addition to `/`.
    pub spaces: Vec<SpacePattern>,
    /// The rooms and their access rules.
    pub rooms: Replaceable<RoomRules>,
    /// Whether back ends publish through Redis.
    pub emitters: EmitterMode,
    /// How often connections in a room receive the event `clock`. `None`: never.
    pub clock_interval: Option<Duration>,
    /// How many entries are kept, and for how long.
    pub retention: RetentionRules,
    /// The id of this process.
    pub node: NodeId,
    /// The name of this machine.
    pub host: Box<str>,
    /// The spaces that are none, although they match one of `spaces`.
    pub reserved: Vec<Space>,
}

/// How many entries are kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionRules {
    /// The number of newest entries kept per conversation. `None` keeps all.
    pub entries_max: Option<u64>,
    /// The age up to which entries are kept. `None` keeps them for ever.
    pub age_max: Option<Duration>,
    /// The time between two sweeps.
    pub sweep_interval: Duration,
}

impl Default for RetentionRules {
    /// Keeps all entries for ever.
    fn default() -> Self {
        Self { entries_max: None, age_max: None, sweep_interval: Duration::from_mins(1) }
    }
}

/// The chat service of this node.
pub struct Chat {
    store: Arc<dyn Store>,
    tokens: Arc<dyn Tokens>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    metrics: Arc<dyn Metrics>,
    backends: Backends,
    api_keys: Arc<dyn ApiKeys>,
    api_paces: ApiPaces,
    rules: ChatRules,
    hub: Arc<Hub>,
    journal: Journal,
    cluster: Arc<Cluster>,
    nodes: Arc<dyn Nodes>,
    webhooks: Option<Arc<Webhooks>>,
    tracer: Option<Arc<dyn Tracer>>,
    draining: AtomicBool,
    drain_begun: CancellationToken,
    refusing: AtomicBool,
    probes: Probes,
    denial_queue: DenialQueue,
}

impl std::fmt::Debug for Chat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chat").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Chat {
    /// Creates a chat. The [`JournalWriter`] must run for messages to be stored.
    pub fn new(parts: ChatParts) -> (Arc<Self>, JournalWriter) {
        let ChatParts { store, bus, nodes, tokens, clock, ids, metrics, .. } = parts;
        let ChatParts { backends, api_keys, webhooks, tracer, rules, .. } = parts;
        let publisher = Publisher::new(rules.node.clone(), Arc::clone(&bus));
        let webhooks = webhooks.map(|parts| Arc::new(Webhooks::new(parts, Arc::clone(&clock))));
        let webhook_rules = webhooks.as_ref().map(|it| Arc::clone(&it.rules));
        let limits = Arc::clone(&rules.requests.get().limits);
        let hub = Hub::observed((*limits).clone(), publisher, webhook_rules, &metrics);
        hub.connection_pages.set_host(&rules.host);
        let parts = ClusterParts {
            hub: Arc::clone(&hub),
            bus,
            store: Arc::clone(&store),
            nodes: Arc::clone(&nodes),
            clock: Arc::clone(&clock),
            tracer: tracer.clone(),
        };
        let cluster = Cluster::new(parts);
        let writer_parts = WriterParts {
            store: Arc::clone(&store),
            hub: Arc::clone(&hub),
            cluster: Arc::clone(&cluster),
            metrics: Arc::clone(&metrics),
            webhooks: webhooks.clone(),
            clock: Arc::clone(&clock),
        };
        let (journal, writer) = Journal::new(&limits, writer_parts);
        let chat = Self {
            store,
            tokens,
            clock,
            ids,
            metrics,
            backends,
            api_keys,
            api_paces: ApiPaces::default(),
            rules,
            hub,
            journal,
            cluster,
            nodes,
            webhooks,
            tracer,
            draining: AtomicBool::new(false),
            drain_begun: CancellationToken::new(),
            refusing: AtomicBool::new(false),
            probes: Probes::default(),
            denial_queue: DenialQueue::default(),
        };
        (Arc::new(chat), writer)
    }

    /// Reserves the names of guests that were online when the last process ended. Called before any
    /// client connects.
    pub fn reserve_names(&self, guests: Vec<OnlineGuest>) {
        self.hub.users.reserve_names(guests);
    }

    /// Loads who is refused. Called before any client connects.
    pub fn load_denials(&self, list: DenialSnapshot) {
        self.hub.replace_denials(0, list, self.clock.now());
    }

    /// The size limits.
    pub fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.rules.requests.get().limits)
    }

    /// What requests are judged by, which may be replaced.
    pub fn request_rules(&self) -> Replaceable<RequestRules> {
        self.rules.requests.clone()
    }

    /// Begins the trace of a request to the HTTP API, if it is sampled. `parent` is its header
    /// `traceparent`.
    pub fn begin_trace(&self, name: &'static str, parent: Option<&str>) -> Option<SpanHandle> {
        self.tracer.as_ref()?.begin(name, SpanKind::Server, parent)
    }

    /// The back ends.
    pub fn backends(&self) -> &Backends {
        &self.backends
    }

    /// The rules of rooms, which may be replaced.
    pub fn room_rules(&self) -> Replaceable<RoomRules> {
        self.rules.rooms.clone()
    }

    fn has_space(&self, space: &Space) -> bool {
        let ChatRules { spaces, reserved, .. } = &self.rules;
        let is_open = *space == Space::root() || spaces.iter().any(|it| it.matches(space));
        is_open && !reserved.contains(space)
    }

    /// The number of rooms that a user may be a member of.
    fn rooms_max(&self) -> Option<u64> {
        u64::try_from(self.limits().rooms_per_user_max.get()).ok()
    }

    /// Ends expired grace periods and publishes presence to rooms. Runs for ever.
    pub async fn run_timers(self: Arc<Self>) {
        let forget_expired = || {
            for GuestName { space, user, guest_session } in self.hub.users.take_expired_guests() {
                let from = self.rules.node.clone();
                self.journal.try_forget_guest(GuestExpired { space, user, guest_session, from });
            }
        };
        let (interval, now) = (self.rules.clock_interval, || self.clock.now());
        Arc::clone(&self.hub).run_timers(forget_expired, interval, now).await;
    }

    /// Receives announcements of the other nodes until the bus ends.
    pub async fn receive(self: Arc<Self>) {
        self.cluster.receive().await;
    }

    /// Recovers announcements that the bus lost. Runs for ever.
    pub async fn repair(self: Arc<Self>) {
        self.cluster.repair(&self.journal).await;
    }

    /// Publishes this node's heartbeats on the bus. Runs for ever.
    pub async fn publish_heartbeats(self: Arc<Self>) {
        self.cluster.publish_heartbeats().await;
    }

    /// Renews this node's lease and its records of online users and guest names. Runs for ever.
    pub async fn maintain_lease(self: Arc<Self>) {
        let forget_guest = |expired| self.journal.try_forget_guest(expired);
        self.cluster.maintain_lease(forget_guest).await;
    }

    /// Records the presence on this node for webhooks until `finish`, and its end. `None` if no webhook
    /// is told of presence.
    pub fn presence_recorder(
        &self,
        finish: CancellationToken,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let webhooks = self.webhooks.as_ref().filter(|_| self.hub.presence_log.is_on())?;
        let (hub, cluster) = (Arc::clone(&self.hub), Arc::clone(&self.cluster));
        let node = self.rules.node.clone();
        let recorder = PresenceRecorder::new(hub, cluster, Arc::clone(webhooks), node);
        Some(recorder.run(finish))
    }

    /// The tasks that send the events of webhooks, one for each.
    pub fn webhook_senders(&self) -> Vec<WebhookSender> {
        let Some(webhooks) = &self.webhooks else { return Vec::new() };
        let parts = SenderParts {
            outbox: Arc::clone(&webhooks.outbox),
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            ids: Arc::clone(&self.ids),
            metrics: Arc::clone(&self.metrics),
            tracer: self.tracer.clone(),
            traces: Arc::clone(&webhooks.traces),
            node: self.rules.node.clone(),
        };
        let sender = |(target, wake): (&WebhookTarget, &Arc<_>)| {
            WebhookSender::new(parts.clone(), target.clone(), Arc::clone(wake))
        };
        webhooks.senders().map(sender).collect()
    }

    /// Removes what retention no longer keeps. Runs for ever.
    pub async fn sweep(self: Arc<Self>) {
        let RetentionRules { entries_max, age_max, sweep_interval } = self.rules.retention;
        loop {
            let now = self.clock.now();
            let retention = TrimLimits {
                entries_max,
                entries_after: age_max.map(|age| now - age),
                // Connections that used the last token are closed by then, too.
                guests_after: now - 2 * self.rules.guest_lifetime,
            };
            // A failed removal is retried in the next round.
            if self.journal.trim(retention).await != Ok(More::Yes) {
                sleep(sweep_interval).await;
            }
        }
    }
}
