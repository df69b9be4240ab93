//! The payload of commands to all nodes, and its conversion.

use serde::{Deserialize, Serialize};

use super::{
    DecodeError, Malformed,
    denial::DenialPayload,
    values::{self, Text, name},
};
use crate::{
    chat::ports,
    domain::{AfterDisconnect, ConnectionAddress, DeviceId, RoomName, Space},
};

#[derive(Serialize, Deserialize)]
pub(super) struct CommandPayload<'a> {
    /// `came`, `vouched`, `signed out`, `denied`, `placed`, `removed`, `disconnected`, or `closed` for
    /// what earlier versions of `disconnected` cannot say.
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
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    room: Option<Text<'a>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ResentCommandPayload<'a> {
    pub(super) number: u64,
    #[serde(borrow)]
    pub(super) act: CommandPayload<'a>,
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
            room: None,
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
                of_connection(space, address, base)
            }
            ports::ClusterCommand::PlaceConnection { space, address, room, placing } => {
                let what = placing_name(*placing);
                Self {
                    room: Some(room.as_raw().into()),
                    ..of_connection(space, address, none(what))
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
        let Self { what, space, user, device, ticket, sign_in: _, .. } = self;
        let Self { connection, reconnect, denial, room, .. } = self;
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
                if connection.is_some() {
                    let (space, address) = connection_in(space.as_ref(), connection.as_ref())?;
                    let command =
                        ports::ClusterCommand::DisconnectConnection { space, address, after };
                    return Ok(command);
                }
                let (space, user) = who()?;
                let device = device()?;
                Ok(ports::ClusterCommand::DisconnectUser { space, user, device, after })
            }
            "placed" | "removed" => {
                let (space, address) = connection_in(space.as_ref(), connection.as_ref())?;
                let room = RoomName::parse(room.as_ref().ok_or(Malformed::Form)?).ok();
                let room = room.ok_or(Malformed::Value("room"))?;
                let placing =
                    if what == "placed" { ports::Placing::In } else { ports::Placing::Out };
                Ok(ports::ClusterCommand::PlaceConnection { space, address, room, placing })
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

/// A command about one connection.
fn of_connection<'a>(
    space: &'a Space,
    address: &ConnectionAddress,
    base: CommandPayload<'a>,
) -> CommandPayload<'a> {
    let connection = Some(address.to_string().into());
    CommandPayload { space: Some(space.as_raw().into()), connection, ..base }
}

fn placing_name(placing: ports::Placing) -> &'static str {
    match placing {
        ports::Placing::In => "placed",
        ports::Placing::Out => "removed",
    }
}

/// The space and the connection of a command about one.
fn connection_in(
    space: Option<&Text<'_>>,
    connection: Option<&Text<'_>>,
) -> Result<(Space, ConnectionAddress), Malformed> {
    let (space, connection) = space.zip(connection).ok_or(Malformed::Form)?;
    let address = ConnectionAddress::parse(connection).ok();
    Ok((values::space(space)?, address.ok_or(Malformed::Value("connection"))?))
}

/// Written only where it is so.
fn reconnect(after: AfterDisconnect) -> Option<bool> {
    (after == AfterDisconnect::Reconnect).then_some(true)
}
