//! The payload of each kind, and its conversion to events.

use serde::{Deserialize, Serialize};

use super::{
    DecodeError,
    entry::PlacePayload,
    values::{self, Text, name, node, position, seq_of},
};
use crate::{
    chat::ports::ClusterEvent,
    domain::{
        self, Channel, DeletedCount, DisplayName, DisplayNames, NamedUser, NodeId, Position,
        Retained, Seq, Typing, UserName,
    },
};

#[derive(Serialize, Deserialize)]
pub(super) struct TrimmedPayload<'a> {
    #[serde(borrow)]
    place: PlacePayload<'a>,
    seq: u64,
    messages: u64,
    /// Absent from earlier versions, as the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<u64>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct MembershipChangedPayload<'a> {
    #[serde(borrow)]
    place: PlacePayload<'a>,
    #[serde(borrow)]
    user: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    by: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    by_name: Option<Text<'a>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ReadPayload<'a> {
    #[serde(borrow)]
    place: PlacePayload<'a>,
    #[serde(borrow)]
    user: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    name: Option<Text<'a>>,
    seq: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct TypingPayload<'a> {
    #[serde(borrow)]
    pub(super) place: PlacePayload<'a>,
    #[serde(borrow)]
    pub(super) user: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Text<'a>>,
    pub(super) typing: bool,
}

#[derive(Serialize, Deserialize)]
pub(super) struct PresencePayload<'a> {
    #[serde(borrow)]
    place: PlacePayload<'a>,
    #[serde(borrow)]
    user: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    name: Option<Text<'a>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct RosterPayload<'a> {
    #[serde(borrow)]
    place: PlacePayload<'a>,
    #[serde(borrow)]
    users: Vec<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    names: Vec<(Text<'a>, Text<'a>)>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct RosterRequestPayload<'a> {
    #[serde(borrow)]
    places: Vec<PlacePayload<'a>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ResendRequestPayload<'a> {
    #[serde(borrow)]
    of: Text<'a>,
    from: u64,
    to: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct HeartbeatPayload {
    channels: Vec<(u16, u64)>,
}

/// The display name as a field.
pub(super) fn display_name(who: &NamedUser) -> Option<Text<'_>> {
    who.name.as_ref().map(|it| it.as_raw().into())
}

fn named_user(user: &Text<'_>, name: Option<&Text<'_>>) -> Result<NamedUser, DecodeError> {
    let name = name.and_then(|it| DisplayName::parse(it));
    Ok(NamedUser { user: values::user(user)?, name })
}

impl<'a> TrimmedPayload<'a> {
    pub(super) fn of(place: &'a domain::Place, retained: &Retained) -> Self {
        let Retained { floor, deleted: DeletedCount { count, up_to } } = *retained;
        let Position { seq, messages } = floor;
        let (deleted, head) = (Some(count), Some(up_to.as_raw()));
        Self { place: PlacePayload::of(place), seq: seq.as_raw(), messages, deleted, head }
    }

    /// Without the count of an earlier version, the receiver reads the log from the store.
    pub(super) fn parse(self) -> Result<ClusterEvent, DecodeError> {
        let Self { place, seq, messages, deleted, head } = self;
        let floor = position(seq, messages)?;
        let (count, head) = deleted.zip(head).ok_or(DecodeError::Unknown)?;
        let deleted = DeletedCount { count, up_to: seq_of(head)? };
        Ok(ClusterEvent::Trimmed(place.parse()?, Retained { floor, deleted }))
    }
}

impl<'a> MembershipChangedPayload<'a> {
    pub(super) fn of(
        place: &'a domain::Place,
        user: &'a UserName,
        by: Option<&'a NamedUser>,
    ) -> Self {
        Self {
            place: PlacePayload::of(place),
            user: name(user),
            by: by.map(|it| name(&it.user)),
            by_name: by.and_then(display_name),
        }
    }

    pub(super) fn parse(self) -> Result<ClusterEvent, DecodeError> {
        let Self { place, user, by, by_name } = self;
        let by = by.map(|by| named_user(&by, by_name.as_ref())).transpose()?;
        Ok(ClusterEvent::MembershipChanged {
            place: place.parse()?,
            user: values::user(&user)?,
            by,
        })
    }
}

impl<'a> ReadPayload<'a> {
    pub(super) fn of(place: &'a domain::Place, who: &'a NamedUser, seq: Seq) -> Self {
        let (user, name) = (name(&who.user), display_name(who));
        Self { place: PlacePayload::of(place), user, name, seq: seq.as_raw() }
    }

    pub(super) fn parse(self) -> Result<ClusterEvent, DecodeError> {
        let Self { place, user, name, seq } = self;
        let who = named_user(&user, name.as_ref())?;
        Ok(ClusterEvent::Read { place: place.parse()?, who, seq: seq_of(seq)? })
    }
}

impl TypingPayload<'_> {
    pub(super) fn parse(self) -> Result<ClusterEvent, DecodeError> {
        let Self { place, user, name, typing } = self;
        let typing = if typing { Typing::Yes } else { Typing::No };
        let who = named_user(&user, name.as_ref())?;
        Ok(ClusterEvent::Typing { place: place.parse()?, who, typing })
    }
}

impl<'a> PresencePayload<'a> {
    pub(super) fn left(place: &'a domain::Place, user: &'a UserName) -> Self {
        Self { place: PlacePayload::of(place), user: name(user), name: None }
    }

    pub(super) fn joined(place: &'a domain::Place, who: &'a NamedUser) -> Self {
        Self { name: display_name(who), ..Self::left(place, &who.user) }
    }

    pub(super) fn parse(self) -> Result<(domain::Place, NamedUser), DecodeError> {
        let Self { place, user, name } = self;
        Ok((place.parse()?, named_user(&user, name.as_ref())?))
    }
}

impl<'a> RosterPayload<'a> {
    pub(super) fn of(
        place: &'a domain::Place,
        users: &'a [UserName],
        names: &'a DisplayNames,
    ) -> Self {
        let names = names.iter().map(|(user, it)| (name(user), it.as_raw().into()));
        let (users, names) = (users.iter().map(name).collect(), names.collect());
        Self { place: PlacePayload::of(place), users, names }
    }

    pub(super) fn parse(self) -> Result<ClusterEvent, DecodeError> {
        let Self { place, users, names } = self;
        let users = users.iter().map(|it| values::user(it)).collect::<Result<_, _>>()?;
        let mut named = DisplayNames::new();
        for (user, name) in &names {
            let user = values::user(user)?;
            named.extend(DisplayName::parse(name).map(|name| (user, name)));
        }
        Ok(ClusterEvent::Roster(place.parse()?, users, named))
    }
}

impl<'a> RosterRequestPayload<'a> {
    pub(super) fn of(places: &'a [domain::Place]) -> Self {
        Self { places: places.iter().map(PlacePayload::of).collect() }
    }

    pub(super) fn parse(self) -> Result<ClusterEvent, DecodeError> {
        let Self { places } = self;
        Ok(ClusterEvent::RosterRequest(
            places.iter().map(PlacePayload::parse).collect::<Result<_, _>>()?,
        ))
    }
}

impl<'a> ResendRequestPayload<'a> {
    pub(super) fn of(of: &'a NodeId, from: u64, to: u64) -> Self {
        Self { of: of.as_raw().into(), from, to }
    }

    pub(super) fn parse(self) -> Result<ClusterEvent, DecodeError> {
        let Self { of, from, to } = self;
        Ok(ClusterEvent::ResendRequest { of: node(&of)?, from, to })
    }
}

impl HeartbeatPayload {
    pub(super) fn of(channels: &[(Channel, u64)]) -> Self {
        let channels = channels.iter().map(|(channel, count)| (channel.as_raw(), *count));
        Self { channels: channels.collect() }
    }

    /// Invalid channels are skipped.
    pub(super) fn parse(self) -> ClusterEvent {
        let Self { channels } = self;
        let known = |(number, count)| Channel::from_raw(number).map(|channel| (channel, count));
        ClusterEvent::Heartbeat(channels.into_iter().filter_map(known).collect())
    }
}
