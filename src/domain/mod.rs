//! The domain: names, bodies, messages, log positions, presence, rate limits, rejections.
//!
//! Nothing here awaits, serializes, logs or reads a clock, so every rule is a plain function with a
//! plain test. All other layers depend on this one; it depends on none.

#![warn(clippy::wildcard_enum_match_arm)]

mod ask;
mod body;
mod channel;
mod close;
mod conversation;
mod denial;
mod device;
mod entry;
mod event_name;
mod event_rules;
mod id;
mod key_mismatch;
mod limits;
mod listen;
mod member;
mod name;
mod name_query;
mod policy;
mod position;
mod presence;
mod rate_limiter;
mod recovery;
mod rejection;
mod room_topic;
mod rooms;
mod secret;
mod selection;
mod typing;
mod webhooks;

pub use ask::{AskAnswer, AskId, AskOutcome};
pub use body::Body;
pub use channel::Channel;
pub use close::{AfterDisconnect, CloseReason};
pub use conversation::{Conversation, Place, View};
pub use denial::{
    BanReason, Credentials, Denial, DenialSubject, Denied, RevocationSubject, TokenId,
};
pub use device::DeviceSet;
pub use entry::{Act, Content, Entry, MessageKind};
pub use event_name::{BUILT_IN_EVENTS, EventName, EventPattern, REQUEST_ONLY_EVENTS};
pub use event_rules::{
    BackendName, CustomEvent, CustomTarget, EventAction, EventRule, EventRules, EventStorage,
    PassingDelivery, Receivers, RoomAction, RuleNumber,
};
pub use id::{ConnectionAddress, ConnectionId, DeviceId, Epoch, MessageId, NodeId, Seq, SignInId};
pub use key_mismatch::{KeyMismatch, UnknownKey, ValueType};
pub use limits::Limits;
pub use listen::ListenAddress;
pub use member::{JoinMode, Member, Muted, Role};
#[cfg(test)]
pub(crate) use name::any_name;
pub use name::{
    DisplayName, DisplayNames, NameKey, NamedUser, RoomName, RoomPattern, Space, SpacePattern,
    UserName,
};
pub use name_query::NameQuery;
pub use policy::{
    AccessLogging, AdminUiAccess, AdminUiMode, AdminUiRights, ApiScope, DevicePolicy, EmitterMode,
    FormSignIn, ForwardedHeader, GuestDevices, Guests, Hook, ProxyProtocol, QueryTokens,
    Synchronous, WebSocketCompression,
};
pub use position::{DeletedCount, Log, Position, Retained};
pub use presence::{Roster, RosterArrival, RosterDeparture};
pub use rate_limiter::{Pace, RateLimiter};
pub use recovery::{Recovery, recovery};
pub use rejection::{KeyRejection, Refusal, Rejection};
pub use room_topic::RoomTopic;
pub use rooms::{GlobalRole, Grant, RoomRules};
pub use secret::{Secret, Token};
pub use selection::{RoomSelector, Selection};
pub use typing::{Broadcast, Typing, TypingState};
pub use webhooks::{WebhookEventKind, WebhookName, WebhookRule, WebhookRules};
