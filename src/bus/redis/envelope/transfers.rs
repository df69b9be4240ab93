//! The encoding of claims of sessions, and of what nodes reply to them.

use serde::{Deserialize, Serialize};

use super::{
    DecodeError, Malformed,
    claims::ClaimsPayload,
    entry::{BodyPayload, PlacePayload},
    values::{self, Text, name, node, seq_of},
};
use crate::{
    chat::ports::{
        ClaimStep, ClusterEvent, EventSource, FoundSession, KeptEvent, SeenAnnouncement,
        SessionClaim, SessionClaimId, SessionReply, SessionState, TakenSession,
    },
    domain::{self, Channel, DeviceId, NodeId, RoomName, Seq},
};

#[derive(Serialize, Deserialize)]
pub(super) struct SessionClaimPayload<'a> {
    id: u64,
    /// `find` or `take`.
    #[serde(borrow)]
    step: Text<'a>,
    #[serde(borrow)]
    pid: Text<'a>,
    #[serde(borrow)]
    space: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    user: Option<Text<'a>>,
    offset: u64,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    required: Vec<(PlacePayload<'a>, u64)>,
    /// Node, channel, number.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    seen: Vec<(Text<'a>, u16, u64)>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SessionReplyPayload<'a> {
    #[serde(borrow)]
    to: Text<'a>,
    id: u64,
    /// `unknown`, `not yet`, `found` or `taken`.
    #[serde(borrow)]
    what: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    session: Option<FoundPayload<'a>>,
    /// The last entries, by conversation, or by room for `taken`.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    positions: Vec<(PlacePayload<'a>, u64)>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    events: Vec<KeptEventPayload<'a>>,
}

#[derive(Serialize, Deserialize)]
struct FoundPayload<'a> {
    #[serde(borrow)]
    sid: Text<'a>,
    last_offset: u64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    claims: Option<ClaimsPayload<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    room: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    device: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    data: Option<Text<'a>>,
    ticket: u64,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    emitter_rooms: Vec<PlacePayload<'a>>,
}

/// With `place` and `seq` an entry, with `id` an event that passes by.
#[derive(Serialize, Deserialize)]
struct KeptEventPayload<'a> {
    #[serde(borrow)]
    args: BodyPayload<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    place: Option<PlacePayload<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    id: Option<Text<'a>>,
}

impl<'a> SessionClaimPayload<'a> {
    pub(super) fn of(id: SessionClaimId, claim: &'a SessionClaim) -> Self {
        let SessionClaim { step, pid, space, user, offset, required, seen } = claim;
        let step = match step {
            ClaimStep::Find => "find",
            ClaimStep::Take => "take",
        };
        Self {
            id: id.as_raw(),
            step: step.into(),
            pid: (&**pid).into(),
            space: space.as_raw().into(),
            user: user.as_ref().map(name),
            offset: *offset,
            required: required.iter().map(position).collect(),
            seen: seen
                .iter()
                .map(|it| (it.from.as_raw().into(), it.channel.as_raw(), it.number))
                .collect(),
        }
    }

    pub(super) fn parse(self) -> Result<ClusterEvent, DecodeError> {
        let Self { id, step, pid, space, user, offset, required, seen } = self;
        let step = match &*step {
            "find" => ClaimStep::Find,
            "take" => ClaimStep::Take,
            _ => return Err(DecodeError::Unknown),
        };
        let claim = SessionClaim {
            step,
            pid: values::parse_id(&pid, "pid")?.into(),
            space: values::space(&space)?,
            user: user.as_deref().map(values::user).transpose()?,
            offset,
            required: positions_in(required)?,
            seen: seen.iter().map(seen_announcement).collect::<Result<_, _>>()?,
        };
        Ok(ClusterEvent::SessionClaim(SessionClaimId::from_raw(id), claim))
    }
}

impl<'a> SessionReplyPayload<'a> {
    pub(super) fn of(
        to: &'a NodeId,
        claim: SessionClaimId,
        reply: &'a SessionReply,
    ) -> Result<Self, Malformed> {
        let of = |what: &'static str| Self {
            to: to.as_raw().into(),
            id: claim.as_raw(),
            what: what.into(),
            session: None,
            positions: Vec::new(),
            events: Vec::new(),
        };
        Ok(match reply {
            SessionReply::Unknown => of("unknown"),
            SessionReply::NotYet => of("not yet"),
            SessionReply::Found(found) => Self {
                session: Some(FoundPayload::of(found)?),
                positions: found.positions.iter().map(position).collect(),
                events: events_of(&found.events)?,
                ..of("found")
            },
            SessionReply::Taken(TakenSession { rooms, events }) => Self {
                positions: rooms.iter().map(position).collect(),
                events: events_of(events)?,
                ..of("taken")
            },
        })
    }

    pub(super) fn parse(self) -> Result<ClusterEvent, DecodeError> {
        let Self { to, id, what, session, positions, events } = self;
        let positions = positions_in(positions)?;
        let events = events.into_iter().map(KeptEventPayload::parse);
        let events = events.collect::<Result<Vec<_>, _>>()?;
        let reply = match &*what {
            "unknown" => SessionReply::Unknown,
            "not yet" => SessionReply::NotYet,
            "found" => {
                let session = session.ok_or(Malformed::Form)?;
                SessionReply::Found(Box::new(session.parse(positions, events)?))
            }
            "taken" => SessionReply::Taken(TakenSession { rooms: positions, events }),
            _ => return Err(DecodeError::Unknown),
        };
        let (to, claim) = (node(&to)?, SessionClaimId::from_raw(id));
        Ok(ClusterEvent::SessionReply { to, claim, reply })
    }
}

fn position((place, seq): &(domain::Place, Seq)) -> (PlacePayload<'_>, u64) {
    (PlacePayload::of(place), seq.as_raw())
}

fn seen_announcement(
    (from, channel, number): &(Text<'_>, u16, u64),
) -> Result<SeenAnnouncement, Malformed> {
    let channel = Channel::from_raw(*channel).ok_or(Malformed::Value("channel"))?;
    Ok(SeenAnnouncement { from: node(from)?, channel, number: *number })
}

fn positions_in(
    positions: Vec<(PlacePayload<'_>, u64)>,
) -> Result<Vec<(domain::Place, Seq)>, DecodeError> {
    positions.into_iter().map(|(place, seq)| Ok((place.parse()?, seq_of(seq)?))).collect()
}

fn events_of(events: &[KeptEvent]) -> Result<Vec<KeptEventPayload<'_>>, Malformed> {
    events.iter().map(KeptEventPayload::of).collect()
}

impl<'a> FoundPayload<'a> {
    fn of(found: &'a FoundSession) -> Result<Self, Malformed> {
        let FoundSession { sid, state, emitter_rooms, positions: _, events: _, last_offset } =
            found;
        let SessionState { claims, room, device, data, ticket } = state;
        Ok(Self {
            sid: (&**sid).into(),
            last_offset: *last_offset,
            claims: claims.as_ref().map(ClaimsPayload::of).transpose()?,
            room: room.as_ref().map(|it| it.as_raw().into()),
            device: device.as_ref().map(|it| it.as_raw().into()),
            data: data.as_deref().map(Into::into),
            ticket: *ticket,
            emitter_rooms: emitter_rooms.iter().map(PlacePayload::of).collect(),
        })
    }

    fn parse(
        self,
        positions: Vec<(domain::Place, Seq)>,
        events: Vec<KeptEvent>,
    ) -> Result<FoundSession, DecodeError> {
        let Self { sid, last_offset, claims, room, device, data, ticket, emitter_rooms } = self;
        let room = room.map(|it| RoomName::parse(&it)).transpose();
        let device = device.map(|it| DeviceId::parse(&it)).transpose();
        let state = SessionState {
            claims: claims.map(ClaimsPayload::parse).transpose()?,
            room: room.ok().ok_or(Malformed::Value("room"))?,
            device: device.ok().ok_or(Malformed::Value("device"))?,
            data: data.map(|it| it.into_owned().into()),
            ticket,
        };
        let sid = values::parse_id(&sid, "sid")?.into();
        let emitter_rooms =
            emitter_rooms.iter().map(PlacePayload::parse).collect::<Result<_, _>>()?;
        Ok(FoundSession { sid, state, emitter_rooms, positions, events, last_offset })
    }
}

impl<'a> KeptEventPayload<'a> {
    fn of(event: &'a KeptEvent) -> Result<Self, Malformed> {
        let KeptEvent { args, source } = event;
        let base = Self { args: BodyPayload::of(args)?, place: None, seq: None, id: None };
        Ok(match source {
            EventSource::Entry(place, seq) => {
                Self { place: Some(PlacePayload::of(place)), seq: Some(seq.as_raw()), ..base }
            }
            EventSource::Passing(id) => Self { id: Some((&**id).into()), ..base },
            EventSource::Other => base,
        })
    }

    fn parse(self) -> Result<KeptEvent, DecodeError> {
        let Self { args, place, seq, id } = self;
        let source = match (place, seq, id) {
            (Some(place), Some(seq), None) => EventSource::Entry(place.parse()?, seq_of(seq)?),
            (None, None, Some(id)) => EventSource::Passing(values::parse_id(&id, "event")?.into()),
            (None, None, None) => EventSource::Other,
            _ => return Err(Malformed::Form.into()),
        };
        Ok(KeptEvent { args: args.parse()?, source })
    }
}
