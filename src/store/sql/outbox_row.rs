//! Events of webhooks and the presence of nodes, as columns.
//!
//! The fields of an event are one text, one per line: each type has its own. No name, id, topic or
//! address has line breaks, and an absent field is an empty line.

use super::{ColumnError, Columns, row};
use crate::{
    chat::ports::{
        ConnectionEnd, NewOutboxEvent, OutboxEvent, PresenceKind, PresenceSubject, PresentClient,
        StoredAct, StoredMessage, WebhookEvent,
    },
    domain::{
        CloseReason, ConnectionAddress, Conversation, MessageId, Place, Role, RoomName, RoomTopic,
        Seq, Space, UserName, WebhookEventKind, WebhookName,
    },
};

/// A new event as `webhook, subject, space, type, fields, at`.
pub(crate) type EventColumns<'a> = (&'a str, String, &'a str, &'static str, String, i64);

pub(crate) fn event_columns(event: &NewOutboxEvent) -> EventColumns<'_> {
    let NewOutboxEvent { webhook, space, event: what, at } = event;
    (
        webhook.as_raw(),
        event.subject(),
        space.as_raw(),
        what.kind().as_raw(),
        fields(what).join("\n"),
        row::millis(*at),
    )
}

/// Reads the columns `id, webhook, space, type, fields, at, batch, attempts, failure, dead_at`.
pub(crate) fn event(row: &impl Columns) -> Result<OutboxEvent, ColumnError> {
    let kind = WebhookEventKind::from_raw(row.text("type")?);
    let kind = kind.ok_or(ColumnError::new("there is no event of this type"))?;
    let new = NewOutboxEvent {
        webhook: WebhookName::from_raw(row.text("webhook")?),
        space: Space::from_raw(row.text("space")?),
        event: parse(kind, row.text("fields")?)?,
        at: row::time(row.int("at")?)?,
    };
    Ok(OutboxEvent {
        id: row::count(row.int("id")?)?,
        new,
        batch: row.maybe_text("batch")?.map(Into::into),
        attempts: u32::try_from(row.int("attempts")?).map_err(ColumnError::new)?,
        failure: row.maybe_text("failure")?.map(Into::into),
        dead_at: row.maybe_int("dead_at")?.map(row::time).transpose()?,
    })
}

/// A subject as `space, kind, name`.
pub(crate) fn subject_columns(subject: &PresenceSubject) -> (&str, i64, String) {
    let (kind, name) = match &subject.kind {
        PresenceKind::User(user) => (0, user.as_raw().to_owned()),
        PresenceKind::Room(room) => (1, room.as_raw().to_owned()),
        PresenceKind::Connection(connection) => (2, connection.to_string()),
    };
    (subject.space.as_raw(), kind, name)
}

/// Reads the columns `space, kind, name`.
pub(crate) fn subject(row: &impl Columns) -> Result<PresenceSubject, ColumnError> {
    let name = row.text("name")?;
    let kind = match row.int("kind")? {
        0 => PresenceKind::User(UserName::from_raw(name)),
        1 => PresenceKind::Room(RoomName::from_raw(name)),
        2 => PresenceKind::Connection(address(name)?),
        number => return Err(ColumnError::new(format!("there is no subject of kind {number}"))),
    };
    Ok(PresenceSubject { space: Space::from_raw(row.text("space")?), kind })
}

/// The column `client`.
pub(crate) fn client_column(client: &PresentClient) -> String {
    let PresentClient { user, address } = client;
    [user.as_ref().map_or("", UserName::as_raw), address.as_deref().unwrap_or_default()].join("\n")
}

/// Reads the column `client`.
pub(crate) fn client(row: &impl Columns) -> Result<PresentClient, ColumnError> {
    let mut fields = Fields::of(row.text("client")?);
    Ok(PresentClient { user: fields.maybe_user()?, address: fields.maybe()?.map(Into::into) })
}

fn fields(event: &WebhookEvent) -> Vec<String> {
    let by = |by: &Option<UserName>| by.as_ref().map_or("", UserName::as_raw).to_owned();
    match event {
        WebhookEvent::UserOnline(user) | WebhookEvent::UserOffline(user) => {
            vec![user.as_raw().to_owned()]
        }
        WebhookEvent::RoomOccupied(room) | WebhookEvent::RoomVacated(room) => {
            vec![room.as_raw().to_owned()]
        }
        WebhookEvent::MemberJoined { room, user, role, by: who } => {
            let names = [room.as_raw(), user.as_raw(), role.as_raw()].map(str::to_owned);
            names.into_iter().chain([by(who)]).collect()
        }
        WebhookEvent::MemberLeft { room, user, by: who } => {
            vec![room.as_raw().to_owned(), user.as_raw().to_owned(), by(who)]
        }
        WebhookEvent::RoomTopic { room, user, topic } => {
            let texts = [room.as_raw(), user.as_raw(), RoomTopic::text(topic.as_ref())];
            texts.map(str::to_owned).into()
        }
        WebhookEvent::Message(message) => message_fields(message),
        WebhookEvent::ConnectionClosed { connection, client, reason } => {
            vec![connection.to_string(), client_column(client), end_name(*reason).to_owned()]
        }
    }
}

fn message_fields(message: &StoredMessage) -> Vec<String> {
    let StoredMessage { act, conversation, seq, id, author } = message;
    let place = Place { space: Space::root(), conversation: conversation.clone() };
    let (_, kind, one, other) = row::place_columns(&place);
    let of = match act {
        StoredAct::Stored => String::new(),
        StoredAct::Edited(of) | StoredAct::Deleted(of) => of.as_raw().to_string(),
    };
    let (one, other) = (one.to_owned(), other.to_owned());
    let (id, author) = (id.as_raw().to_owned(), author.as_raw().to_owned());
    vec![kind.to_string(), one, other, seq.as_raw().to_string(), id, author, of]
}

fn parse(kind: WebhookEventKind, text: &str) -> Result<WebhookEvent, ColumnError> {
    let mut fields = Fields::of(text);
    Ok(match kind {
        WebhookEventKind::UserOnline => WebhookEvent::UserOnline(fields.user()?),
        WebhookEventKind::UserOffline => WebhookEvent::UserOffline(fields.user()?),
        WebhookEventKind::RoomOccupied => WebhookEvent::RoomOccupied(fields.room()?),
        WebhookEventKind::RoomVacated => WebhookEvent::RoomVacated(fields.room()?),
        WebhookEventKind::MemberJoined => WebhookEvent::MemberJoined {
            room: fields.room()?,
            user: fields.user()?,
            role: Role::from_raw(fields.next()?)
                .ok_or(ColumnError::new("there is no such role"))?,
            by: fields.maybe_user()?,
        },
        WebhookEventKind::MemberLeft => WebhookEvent::MemberLeft {
            room: fields.room()?,
            user: fields.user()?,
            by: fields.maybe_user()?,
        },
        WebhookEventKind::RoomTopic => WebhookEvent::RoomTopic {
            room: fields.room()?,
            user: fields.user()?,
            topic: fields.maybe()?.and_then(RoomTopic::from_raw),
        },
        WebhookEventKind::MessageStored
        | WebhookEventKind::MessageEdited
        | WebhookEventKind::MessageDeleted => WebhookEvent::Message(fields.message(kind)?),
        WebhookEventKind::ConnectionClosed => WebhookEvent::ConnectionClosed {
            connection: address(fields.next()?)?,
            client: PresentClient {
                user: fields.maybe_user()?,
                address: fields.maybe()?.map(Into::into),
            },
            reason: connection_end(fields.next()?)?,
        },
    })
}

/// The lines of a text.
struct Fields<'a>(std::str::Split<'a, char>);

impl<'a> Fields<'a> {
    fn of(text: &'a str) -> Self {
        Self(text.split('\n'))
    }

    fn next(&mut self) -> Result<&'a str, ColumnError> {
        self.0.next().ok_or(ColumnError::new("a field is missing"))
    }

    fn maybe(&mut self) -> Result<Option<&'a str>, ColumnError> {
        self.next().map(|field| Some(field).filter(|it| !it.is_empty()))
    }

    fn user(&mut self) -> Result<UserName, ColumnError> {
        self.next().map(UserName::from_raw)
    }

    fn maybe_user(&mut self) -> Result<Option<UserName>, ColumnError> {
        self.maybe().map(|field| field.map(UserName::from_raw))
    }

    fn room(&mut self) -> Result<RoomName, ColumnError> {
        self.next().map(RoomName::from_raw)
    }

    fn seq(&mut self) -> Result<Seq, ColumnError> {
        self.next()?.parse().map(Seq::from_raw).map_err(ColumnError::new)
    }

    fn message(&mut self, kind: WebhookEventKind) -> Result<StoredMessage, ColumnError> {
        let (place, one, other) = (self.next()?, self.next()?, self.next()?);
        let conversation = match place {
            "0" => Conversation::Room(RoomName::from_raw(one)),
            "1" => Conversation::Direct(UserName::from_raw(one), UserName::from_raw(other)),
            "2" => Conversation::Inbox(UserName::from_raw(one)),
            _ => return Err(ColumnError::new("there is no such kind of conversation")),
        };
        let (seq, id, author) = (self.seq()?, MessageId::from_raw(self.next()?), self.user()?);
        let act = match kind {
            WebhookEventKind::MessageEdited => StoredAct::Edited(self.seq()?),
            WebhookEventKind::MessageDeleted => StoredAct::Deleted(self.seq()?),
            _ => StoredAct::Stored,
        };
        Ok(StoredMessage { act, conversation, seq, id, author })
    }
}

fn address(text: &str) -> Result<ConnectionAddress, ColumnError> {
    ConnectionAddress::parse(text).map_err(ColumnError::new)
}

fn connection_end(name: &str) -> Result<ConnectionEnd, ColumnError> {
    match name {
        "client" => Ok(ConnectionEnd::ByClient),
        "transport_closed" => Ok(ConnectionEnd::TransportClosed),
        "protocol_error" => Ok(ConnectionEnd::ProtocolError),
        "node_lost" => Ok(ConnectionEnd::NodeLost),
        name => {
            let reason = CloseReason::ALL.into_iter().find(|it| reason_name(*it) == name);
            reason
                .map(ConnectionEnd::ByServer)
                .ok_or_else(|| ColumnError::new(format!("there is no reason {name}")))
        }
    }
}

/// The name of an end in the store.
fn end_name(end: ConnectionEnd) -> &'static str {
    match end {
        ConnectionEnd::ByClient => "client",
        ConnectionEnd::TransportClosed => "transport_closed",
        ConnectionEnd::ProtocolError => "protocol_error",
        ConnectionEnd::NodeLost => "node_lost",
        ConnectionEnd::ByServer(reason) => reason_name(reason),
    }
}

/// The name of a reason in the store.
fn reason_name(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Draining { .. } => "draining",
        CloseReason::SlowReader => "slow_reader",
        CloseReason::PingTimeout => "ping_timeout",
        CloseReason::Flood => "flood",
        CloseReason::FrameTooLarge { .. } => "frame_too_large",
        CloseReason::Fault => "fault",
        CloseReason::TokenExpired => "token_expired",
        CloseReason::InvalidUser => "invalid_user",
        CloseReason::Replaced => "replaced",
        CloseReason::SignedOut => "signed_out",
        CloseReason::NameTaken => "name_taken",
        CloseReason::Disconnected => "disconnected",
        CloseReason::Reconnect => "reconnect",
        CloseReason::Banned { .. } => "banned",
        CloseReason::TokenRevoked => "token_revoked",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_round_trips_through_its_name() {
        use ConnectionEnd::{ByClient, ByServer, NodeLost, ProtocolError, TransportClosed};
        let by_client = [ByClient, TransportClosed, ProtocolError, NodeLost];
        for end in CloseReason::ALL.map(ByServer).into_iter().chain(by_client) {
            assert_eq!(connection_end(end_name(end)).unwrap(), end);
        }
        assert!(connection_end("x").is_err());
    }

    #[test]
    fn damaged_fields_are_refused() {
        for (kind, text) in [
            (WebhookEventKind::MemberLeft, "lobby\nann"),
            (WebhookEventKind::RoomTopic, "lobby\nann"),
            (WebhookEventKind::MemberJoined, "lobby\nann\nking\n"),
            (WebhookEventKind::MessageEdited, "0\nlobby\n\n1\nid\nann\n"),
            (WebhookEventKind::MessageStored, "7\nlobby\n\n1\nid\nann\n"),
            (WebhookEventKind::ConnectionClosed, "nobody\n\n\nclient"),
        ] {
            assert!(parse(kind, text).is_err(), "{text:?}");
        }
    }
}
