//! The ports of the chat: traits with documented guarantees.
//!
//! An engine implements one of these. Only `app` names engines.

mod admin_access;
mod api_keys;
mod backend;
mod bus;
mod clock;
mod connections;
mod denials;
mod disconnect;
mod draft;
mod fault;
mod metrics;
mod nodes;
mod outbox;
mod page;
mod recording;
mod store;
mod tokens;
mod traces;
mod traffic;
mod transfers;
mod users;
mod webhooks;
mod wire;

pub use admin_access::AdminAccess;
pub use api_keys::{ApiKey, ApiKeys, NoApiKeys};
pub use backend::{
    AcceptedConnection, AcceptedRequest, Action, Backend, BackendAnswer, BackendFailure, Caller,
    CallingUser, CallingUserKind, ClientInfo, ConnectAnswer, ConnectCall, ConnectIdentity,
    DisconnectTarget, EmitTarget, EventCall, HookedRequest, MessageRequest, RequestAnswer,
    RequestCall,
};
pub use bus::{
    Announcement, AskReply, AskedEvent, Bus, BusEvent, ClusterCommand, ClusterEvent, Placing,
    SettledAsk,
};
pub use clock::{Clock, IdSource};
pub use connections::{
    ConnectionsDetail, ConnectionsRequest, ConnectionsRequestId, FirstConnections, NodeStats,
    OpenConnection, ROOMS_LISTED_MAX,
};
pub use denials::{DenialChange, DenialSnapshot, DenialStore};
pub use disconnect::DisconnectCause;
pub use draft::{Draft, DraftAct, Outcome, PostedMessage, StoredAct, StoredMessage};
pub use fault::{Fault, with_causes};
pub use metrics::{
    MetricEvent, Metrics, MissedSource, NoMetrics, ReadOutcome, RequestMetrics, SpanLoss,
};
pub use nodes::{ClaimOutcome, HeartbeatReply, LEASE, Nodes, OnlineDevices, RemoteUsers};
pub use outbox::{Carrier, Outbox, Overflow, Peer};
pub use page::{Page, PageLimit, PageRange};
pub use recording::COMMITTED_KINDS;
pub use store::{
    Batch, Change, ChangeResult, Committed, DEVICES_PER_USER_MAX, DIRECTS_LISTED_MAX, Erased,
    JoinRefusal, MemberChange, MemberRow, Membership, RoomRow, Store, TrimLimits, Trimmed,
};
pub use tokens::{Claims, Rooms, Tokens};
pub(crate) use traces::StoredSpan;
pub use traces::{
    ReceivedRequest, Span, SpanFact, SpanHandle, SpanKind, Tracer, current_span, in_span,
};
pub use traffic::{Traffic, TrafficMeter};
pub use transfers::{
    ClaimStep, EventSource, FoundSession, KeptEvent, SeenAnnouncement, SessionClaim,
    SessionClaimId, SessionReply, SessionState, TakenSession,
};
pub use users::{GuestExpired, GuestName, IdentityKind, OnlineGuest, UserDeparted, UserSeen};
pub use webhooks::{
    AttemptOutcome, ConnectionEnd, DeadLetters, NewOutboxEvent, OutboxEvent, PresenceKind,
    PresenceRecord, PresenceSubject, PresentClient, Recording, RequestForm, SentEvent,
    WEBHOOK_LEASE, WebhookEvent, WebhookOutbox, WebhookReceiver, WebhookRequest,
};
pub use wire::Wire;
