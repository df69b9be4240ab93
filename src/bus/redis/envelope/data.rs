//! The payload of each kind, and its conversion to events.

use serde::{Deserialize, Serialize};

use super::{
    DecodeError, Malformed,
    denial::DenialPayload,
    entry::PlacePayload,
    values::{self, Text, name, node, position, seq_of},
};
use crate::{
    chat::ports::{self, ClusterEvent},
    domain::{
        self, AfterDisconnect, Channel, ConnectionAddress, DeletedCount, DeviceId, DisplayName,
        DisplayNames, NamedUser, NodeId, Position, Retained, Seq, Typing, UserName,
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
pub(super) struct CommandPayload<'a> {
    /// `came`, `vouched`, `signed out`, `denied`, `disconnected`, or `closed` for what earlier
    /// versions of `disconnected` cannot say.
    #[serde(borrow)]
    what: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    space: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    user: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    device: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ticket: Option<u64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    sign_in: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    connection: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reconnect: Option<bool>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    denial: Option<DenialPayload<'a>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ResentCommandPayload<'a> {
    pub(super) number: u64,
    #[serde(borrow)]
    pub(super) act: CommandPayload<'a>,
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
    pub(super) fn of(place: &'a domain::Place, user: &'a UserName, seq: Seq) -> Self {
        Self { place: PlacePayload::of(place), user: name(user), seq: seq.as_raw() }
    }

    pub(super) fn parse(self) -> Result<ClusterEvent, DecodeError> {
        let Self { place, user, seq } = self;
        Ok(ClusterEvent::Read {
            place: place.parse()?,
            user: values::user(&user)?,
            seq: seq_of(seq)?,
        })
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

impl<'a> CommandPayload<'a> {
    pub(super) fn of(act: &'a ports::ClusterCommand) -> Result<Self, Malformed> {
        let none = |what: &'static str| Self {
            what: what.into(),
            space: None,
            user: None,
            device: None,
            ticket: None,
            sign_in: None,
            connection: None,
            reconnect: None,
            denial: None,
        };
        Ok(match act {
            ports::ClusterCommand::ReplaceDevices { space, user, device, ticket } => Self {
                space: Some(space.as_raw().into()),
                user: Some(name(user)),
                device: device.as_ref().map(|it| it.as_raw().into()),
                ticket: Some(*ticket),
                ..none("came")
            },
            ports::ClusterCommand::RevokeGuestNames { space, user } => Self {
                space: Some(space.as_raw().into()),
                user: Some(name(user)),
                ..none("vouched")
            },
            ports::ClusterCommand::DisconnectUser { space, user, device, after } => {
                let base = match (device, after) {
                    (None, AfterDisconnect::StayAway) => none("disconnected"),
                    _ => Self { reconnect: reconnect(*after), ..none("closed") },
                };
                Self {
                    space: Some(space.as_raw().into()),
                    user: Some(name(user)),
                    device: device.as_ref().map(|it| it.as_raw().into()),
                    ..base
                }
            }
            ports::ClusterCommand::DisconnectConnection { space, address, after } => {
                let base = match after {
                    AfterDisconnect::StayAway => none("disconnected"),
                    AfterDisconnect::Reconnect => {
                        Self { reconnect: reconnect(*after), ..none("closed") }
                    }
                };
                Self {
                    space: Some(space.as_raw().into()),
                    connection: Some(address.to_string().into()),
                    ..base
                }
            }
            ports::ClusterCommand::ChangeDenials { number, change } => {
                let denial = DenialPayload::of(*number, change)?;
                // Earlier versions know this kind, and end the sign-in.
                let sign_in = denial.ended_sign_in();
                let what = if sign_in.is_some() { "signed out" } else { "denied" };
                Self { sign_in, denial: Some(denial), ..none(what) }
            }
        })
    }

    pub(super) fn parse(self) -> Result<ports::ClusterCommand, DecodeError> {
        let Self { what, space, user, device, ticket, sign_in: _, connection, reconnect, denial } =
            self;
        let device = || {
            let device = device.as_ref().map(|it| DeviceId::parse(it)).transpose();
            device.ok().ok_or(Malformed::Value("device"))
        };
        let who = || -> Result<_, Malformed> {
            let (space, user) = space.as_ref().zip(user.as_ref()).ok_or(Malformed::Form)?;
            Ok((values::space(space)?, values::user(user)?))
        };
        match &*what {
            "came" => {
                let (space, user) = who()?;
                let device = device()?;
                let ticket = ticket.ok_or(Malformed::Form)?;
                Ok(ports::ClusterCommand::ReplaceDevices { space, user, device, ticket })
            }
            "vouched" => {
                let (space, user) = who()?;
                Ok(ports::ClusterCommand::RevokeGuestNames { space, user })
            }
            "disconnected" | "closed" => {
                let after = match reconnect {
                    Some(true) => AfterDisconnect::Reconnect,
                    Some(false) | None => AfterDisconnect::StayAway,
                };
                if let Some(address) = &connection {
                    let space = values::space(space.as_ref().ok_or(Malformed::Form)?)?;
                    let address = ConnectionAddress::parse(address).ok();
                    let address = address.ok_or(Malformed::Value("connection"))?;
                    let command =
                        ports::ClusterCommand::DisconnectConnection { space, address, after };
                    return Ok(command);
                }
                let (space, user) = who()?;
                let device = device()?;
                Ok(ports::ClusterCommand::DisconnectUser { space, user, device, after })
            }
            "signed out" | "denied" => {
                // An earlier version did not store the end of a sign-in.
                let (number, change) = denial.ok_or(DecodeError::Unknown)?.parse()?;
                Ok(ports::ClusterCommand::ChangeDenials { number, change })
            }
            _ => Err(DecodeError::Unknown),
        }
    }
}

/// Written only where it is so.
fn reconnect(after: AfterDisconnect) -> Option<bool> {
    (after == AfterDisconnect::Reconnect).then_some(true)
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
