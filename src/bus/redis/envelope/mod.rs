//! The JSON encoding of announcements between nodes.
//!
//! ```json
//! {"v":1,"from":"<node>","n":7,"kind":"read","data":{"place":{"space":"/","room":"lobby"},"user":"ann","seq":3}}
//! ```
//!
//! During a rolling upgrade, two versions of Roomcast exchange envelopes. Therefore:
//!
//! - `v`, `from` and `n` have the same meaning in every version.
//! - Unknown fields are ignored. A field may be added to a kind only if readers that do not know it
//!   may ignore it; otherwise it needs a new kind.
//! - An unknown `kind`, an unknown variant within a kind, or a `v` above ours is decoded as
//!   [`ClusterEvent::Unknown`] with its `from` and `n`: the receiver knows that it has missed an
//!   event.
//! - A field that earlier versions do not write has a default.
//! - `v` is incremented only when these rules do not suffice.
//!
//! Bodies are carried as their JSON text, attachments as Base64 in the order of their numbers,
//! times as milliseconds since 1970. An envelope that violates a rule of the domain is malformed
//! and dropped.

mod ask;
mod claims;
mod command;
mod connections;
mod data;
mod denial;
mod entry;
#[cfg(test)]
mod tests;
mod transfers;
mod values;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    chat::{
        event::Event,
        ports::{Announcement, ClusterEvent},
    },
    domain::{NodeId, Typing},
};

use self::{
    ask::{AskReplyPayload, AskedPayload},
    command::{CommandPayload, ResentCommandPayload},
    connections::{ConnectionsReplyPayload, ConnectionsRequestPayload},
    data::{
        HeartbeatPayload, MembershipChangedPayload, PresencePayload, ReadPayload,
        ResendRequestPayload, RosterPayload, RosterRequestPayload, TrimmedPayload, TypingPayload,
    },
    entry::{CustomEventPayload, EntryPayload, PlacePayload},
    transfers::{SessionClaimPayload, SessionReplyPayload},
};

/// The version that is written.
const VERSION: u64 = 1;
/// The largest envelope. Larger ones are neither sent nor read.
pub(super) const ENVELOPE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest id of a node or of a message from another server.
const ID_BYTES_MAX: usize = 128;

/// Why an envelope cannot be encoded or decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// It is too large.
    #[error("it is larger than {ENVELOPE_BYTES_MAX} bytes")]
    TooLarge,
    /// It is not JSON, or a field has the wrong type.
    #[error("it has the wrong form")]
    Form,
    /// A name, id or number in it is invalid.
    #[error("its {0} is invalid")]
    Value(&'static str),
    /// The announcement has no encoding.
    #[error("it has no encoding")]
    NotEncodable,
}

/// Why a payload is not decoded.
enum DecodeError {
    /// Another version may be able to decode it.
    Unknown,
    /// It is malformed.
    Malformed(Malformed),
}

#[derive(Serialize)]
struct OutgoingEnvelope<'a, D> {
    v: u64,
    from: &'a str,
    n: u64,
    kind: &'static str,
    data: D,
}

/// An envelope of which only the header was decoded.
#[derive(Deserialize)]
pub(super) struct IncomingEnvelope<'a> {
    v: u64,
    #[serde(borrow)]
    from: Cow<'a, str>,
    n: u64,
    #[serde(borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// Encodes an announcement.
pub(super) fn encode(announcement: &Announcement) -> Result<Vec<u8>, Malformed> {
    let Announcement { from, number, event } = announcement;
    let writer = EnvelopeWriter { from, number: *number };
    let written = match event {
        ClusterEvent::Entry(delivery) => match delivery.event() {
            Event::Entry(entry) => {
                writer.write("entry", EntryPayload::of(entry, delivery.traceparent())?)
            }
            _ => Err(Malformed::NotEncodable),
        },
        ClusterEvent::Trimmed(place, retained) => {
            writer.write("cut", TrimmedPayload::of(place, retained))
        }
        ClusterEvent::MembershipChanged { place, user, by } => {
            writer.write("changed", MembershipChangedPayload::of(place, user, by.as_ref()))
        }
        ClusterEvent::Read { place, who, seq } => {
            writer.write("read", ReadPayload::of(place, who, *seq))
        }
        ClusterEvent::Typing { place, who, typing } => {
            let (place, user) = (PlacePayload::of(place), values::name(&who.user));
            let (name, typing) = (data::display_name(who), *typing == Typing::Yes);
            writer.write("typing", TypingPayload { place, user, name, typing })
        }
        ClusterEvent::Custom { to, except, event: sent, delivery } => match sent.event() {
            Event::Custom(event) => {
                let payload = CustomEventPayload::of(to, except.as_ref(), event, *delivery)?;
                writer.write("event", payload.with_id(sent.passing_id()))
            }
            _ => Err(Malformed::NotEncodable),
        },
        ClusterEvent::Ask(ask, asked) => writer.write("asked", AskedPayload::of(*ask, asked)?),
        ClusterEvent::AskReply { to, ask, reply } => {
            writer.write("reply", AskReplyPayload::of(to, *ask, reply)?)
        }
        ClusterEvent::ConnectionsRequest(id, request) => {
            writer.write("connections", ConnectionsRequestPayload::of(*id, request))
        }
        ClusterEvent::ConnectionsReply { to, request, first } => {
            let payload = ConnectionsReplyPayload::of(to, *request, first)?;
            writer.write("connections reply", payload)
        }
        ClusterEvent::SessionClaim(id, claim) => {
            writer.write("claim", SessionClaimPayload::of(*id, claim))
        }
        ClusterEvent::SessionReply { to, claim, reply } => {
            writer.write("claim reply", SessionReplyPayload::of(to, *claim, reply)?)
        }
        ClusterEvent::Joined(place, who) => {
            writer.write("here", PresencePayload::joined(place, who))
        }
        ClusterEvent::Left(place, user) => writer.write("gone", PresencePayload::left(place, user)),
        ClusterEvent::Roster(place, users, names) => {
            writer.write("roster", RosterPayload::of(place, users, names))
        }
        ClusterEvent::RosterRequest(places) => {
            writer.write("ask", RosterRequestPayload::of(places))
        }
        ClusterEvent::ResendRequest { of, from, to } => {
            writer.write("missed", ResendRequestPayload::of(of, *from, *to))
        }
        ClusterEvent::Command(act) => writer.write("act", CommandPayload::of(act)?),
        ClusterEvent::ResentCommand(number, act) => writer.write(
            "again",
            ResentCommandPayload { number: *number, act: CommandPayload::of(act)? },
        ),
        ClusterEvent::Leaving => writer.write("leaving", [(); 0]),
        ClusterEvent::Heartbeat(channels) => writer.write("beat", HeartbeatPayload::of(channels)),
        ClusterEvent::Unknown => Err(Malformed::NotEncodable),
    }?;
    if written.len() > ENVELOPE_BYTES_MAX { Err(Malformed::TooLarge) } else { Ok(written) }
}

/// The publisher and the number of the announcement.
struct EnvelopeWriter<'a> {
    from: &'a NodeId,
    number: u64,
}

impl EnvelopeWriter<'_> {
    fn write(&self, kind: &'static str, data: impl Serialize) -> Result<Vec<u8>, Malformed> {
        let written =
            OutgoingEnvelope { v: VERSION, from: self.from.as_raw(), n: self.number, kind, data };
        serde_json::to_vec(&written).ok().ok_or(Malformed::NotEncodable)
    }
}

/// Decodes the header of an envelope.
pub(super) fn open(payload: &[u8]) -> Result<IncomingEnvelope<'_>, Malformed> {
    if payload.len() > ENVELOPE_BYTES_MAX {
        return Err(Malformed::TooLarge);
    }
    serde_json::from_slice(payload).ok().ok_or(Malformed::Form)
}

impl IncomingEnvelope<'_> {
    /// Whether this node has published it.
    pub(super) fn is_from(&self, node: &NodeId) -> bool {
        self.from == node.as_raw()
    }

    /// Decodes the payload.
    pub(super) fn read(self) -> Result<Announcement, Malformed> {
        let Self { v, from, n: number, kind, data } = self;
        let from = values::node(&from)?;
        if v > VERSION {
            return Ok(Announcement { from, number, event: ClusterEvent::Unknown });
        }
        if v < VERSION {
            return Err(Malformed::Value("version"));
        }
        let (kind, data) = (kind.ok_or(Malformed::Form)?, data.ok_or(Malformed::Form)?);
        let kind: Cow<'_, str> = read(kind)?;
        match event(&kind, data) {
            Ok(event) => Ok(Announcement { from, number, event }),
            Err(DecodeError::Unknown) => {
                Ok(Announcement { from, number, event: ClusterEvent::Unknown })
            }
            Err(DecodeError::Malformed(malformed)) => Err(malformed),
        }
    }
}

fn event(kind: &str, data: &RawValue) -> Result<ClusterEvent, DecodeError> {
    match kind {
        "entry" => read::<EntryPayload<'_>>(data)?.parse(),
        "cut" => read::<TrimmedPayload<'_>>(data)?.parse(),
        "changed" => read::<MembershipChangedPayload<'_>>(data)?.parse(),
        "read" => read::<ReadPayload<'_>>(data)?.parse(),
        "typing" => read::<TypingPayload<'_>>(data)?.parse(),
        "event" => read::<CustomEventPayload<'_>>(data)?.parse(),
        "asked" => read::<AskedPayload<'_>>(data)?.parse(),
        "reply" => read::<AskReplyPayload<'_>>(data)?.parse(),
        "connections" => read::<ConnectionsRequestPayload<'_>>(data)?.parse(),
        "connections reply" => read::<ConnectionsReplyPayload<'_>>(data)?.parse(),
        "claim" => read::<SessionClaimPayload<'_>>(data)?.parse(),
        "claim reply" => read::<SessionReplyPayload<'_>>(data)?.parse(),
        "here" => read::<PresencePayload<'_>>(data)?
            .parse()
            .map(|(place, who)| ClusterEvent::Joined(place, who)),
        "gone" => read::<PresencePayload<'_>>(data)?
            .parse()
            .map(|(place, who)| ClusterEvent::Left(place, who.user)),
        "roster" => read::<RosterPayload<'_>>(data)?.parse(),
        "ask" => read::<RosterRequestPayload<'_>>(data)?.parse(),
        "missed" => read::<ResendRequestPayload<'_>>(data)?.parse(),
        "act" => read::<CommandPayload<'_>>(data)?.parse().map(ClusterEvent::Command),
        "again" => {
            let ResentCommandPayload { number, act } = read(data)?;
            Ok(ClusterEvent::ResentCommand(number, act.parse()?))
        }
        "leaving" => Ok(ClusterEvent::Leaving),
        "beat" => Ok(read::<HeartbeatPayload>(data)?.parse()),
        _ => Err(DecodeError::Unknown),
    }
}

fn read<'a, D: Deserialize<'a>>(data: &'a RawValue) -> Result<D, Malformed> {
    serde_json::from_str(data.get()).ok().ok_or(Malformed::Form)
}

impl From<Malformed> for DecodeError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}
