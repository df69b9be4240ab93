//! What webhooks are sent: JSON over HTTP, with bytes as `{"base64": "…"}`.
//!
//! docs/webhooks.md is the reference.

use serde::Serialize;

use super::{
    body::{AttachmentEncoding, BodyData},
    code,
    event::{self as events, ArgumentsData},
    payload::{self, Timestamp},
};
use crate::{
    chat::ports::{
        NewOutboxEvent, RequestForm, SentEvent, StoredAct, StoredMessage, WebhookEvent,
        WebhookRequest,
    },
    domain::{
        Act, Content, Conversation, DisplayName, DisplayNames, Entry, MessageKind, RoomTopic,
        UserName,
    },
};

/// An event, as the specification "Standard Webhooks" suggests it.
#[derive(Serialize)]
pub(super) struct EventData<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: Timestamp,
    space: &'a str,
    data: DetailData<'a>,
}

#[derive(Serialize)]
struct EventsData<'a> {
    events: Vec<EventData<'a>>,
}

/// What happened. Its type decides which fields it has.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct DetailData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direct: Option<[&'a str; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inbox: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    msg: Option<BodyData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<ArgumentsData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// The body of a request, as JSON text.
pub fn webhook_body(request: &WebhookRequest) -> String {
    let mut events = request.events.iter().map(|SentEvent { id, event, entry, names }| {
        self::event(id, event, (entry.as_ref(), Some(names)))
    });
    match (request.form, events.next()) {
        (RequestForm::Single, Some(event)) => payload::json(&event),
        (RequestForm::Single | RequestForm::Batch, first) => {
            payload::json(&EventsData { events: first.into_iter().chain(events).collect() })
        }
    }
}

/// An event with this id. `entry` is that of a message, if it is still stored; `names` are the display
/// names of its users.
pub(super) fn event<'a>(
    id: &'a str,
    event: &'a NewOutboxEvent,
    (entry, names): (Option<&'a Entry>, Option<&'a DisplayNames>),
) -> EventData<'a> {
    let NewOutboxEvent { webhook: _, space, event: what, at } = event;
    let name = |user: Option<&UserName>| names?.get(user?).map(DisplayName::as_raw);
    let (user, by) = what.user_and_by();
    EventData {
        id,
        kind: what.kind().as_raw(),
        timestamp: Timestamp(*at),
        space: space.as_raw(),
        data: DetailData { name: name(user), by_name: name(by), ..detail(what, entry) },
    }
}

fn detail<'a>(event: &'a WebhookEvent, entry: Option<&'a Entry>) -> DetailData<'a> {
    let nothing = DetailData::default();
    match event {
        WebhookEvent::UserOnline(user) | WebhookEvent::UserOffline(user) => {
            DetailData { user: Some(user.as_raw()), ..nothing }
        }
        WebhookEvent::RoomOccupied(room) | WebhookEvent::RoomVacated(room) => {
            DetailData { room: Some(room.as_raw()), ..nothing }
        }
        WebhookEvent::MemberJoined { room, user, role, by } => DetailData {
            room: Some(room.as_raw()),
            user: Some(user.as_raw()),
            role: Some(role.as_raw()),
            by: by.as_ref().map(UserName::as_raw),
            ..nothing
        },
        WebhookEvent::MemberLeft { room, user, by } => DetailData {
            room: Some(room.as_raw()),
            user: Some(user.as_raw()),
            by: by.as_ref().map(UserName::as_raw),
            ..nothing
        },
        WebhookEvent::RoomTopic { room, user, topic } => DetailData {
            room: Some(room.as_raw()),
            user: Some(user.as_raw()),
            topic: Some(RoomTopic::text(topic.as_ref())),
            ..nothing
        },
        WebhookEvent::Message(message) => message_detail(message, entry),
        WebhookEvent::ConnectionClosed { connection, client, reason } => DetailData {
            connection: Some(connection.to_string()),
            user: client.user.as_ref().map(UserName::as_raw),
            address: client.address.as_deref(),
            reason: Some(code::connection_end(*reason)),
            ..nothing
        },
    }
}

fn message_detail<'a>(message: &'a StoredMessage, entry: Option<&'a Entry>) -> DetailData<'a> {
    let StoredMessage { act, conversation, seq, id, author } = message;
    let (room, direct, inbox) = match conversation {
        Conversation::Room(room) => (Some(room.as_raw()), None, None),
        Conversation::Direct(one, other) => (None, Some([one.as_raw(), other.as_raw()]), None),
        Conversation::Inbox(user) => (None, None, Some(user.as_raw())),
    };
    let of = match act {
        StoredAct::Stored => None,
        StoredAct::Edited(of) | StoredAct::Deleted(of) => Some(of.as_raw()),
    };
    let detail = DetailData {
        room,
        direct,
        inbox,
        seq: Some(seq.as_raw()),
        id: Some(id.as_raw()),
        user: Some(author.as_raw()),
        of,
        event: entry.map(events::entry_name),
        ..DetailData::default()
    };
    let encoding = AttachmentEncoding::Base64;
    match entry.map(|entry| &entry.act) {
        Some(Act::Said {
            kind: MessageKind::Custom(_),
            content: Content::Body { body, edited_at: _ },
        }) => DetailData { args: Some(ArgumentsData::flat(body, encoding, 0)), ..detail },
        Some(
            Act::Said { content: Content::Body { body, edited_at: _ }, .. }
            | Act::Edited { of: _, body: Some(body) },
        ) => DetailData { msg: Some(BodyData { body, encoding, first: 0 }), ..detail },
        Some(
            Act::Said { content: Content::Removed, .. }
            | Act::Edited { of: _, body: None }
            | Act::Deleted { .. }
            | Act::Topic(_),
        )
        | None => detail,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use time::{Duration, OffsetDateTime};

    use super::*;
    use crate::{
        chat::ports::{ConnectionEnd, PresentClient},
        domain::{
            Body, CloseReason, ConnectionAddress, ConnectionId, EventName, MessageId, NodeId,
            Place, Position, Role, RoomName, Seq, Space, WebhookName,
        },
    };

    fn ann() -> UserName {
        UserName::from_raw("ann")
    }

    fn sent(event: WebhookEvent, entry: Option<Entry>) -> SentEvent {
        let new = NewOutboxEvent {
            webhook: WebhookName::from_raw("a"),
            space: Space::root(),
            event,
            at: OffsetDateTime::UNIX_EPOCH + Duration::milliseconds(1500),
        };
        let names = DisplayNames::new();
        SentEvent { id: "msg_e_7".to_owned(), event: new, entry, names }
    }

    fn single(event: SentEvent) -> String {
        let (id, form) = (event.id.clone(), RequestForm::Single);
        webhook_body(&WebhookRequest { id, form, events: vec![event] })
    }

    /// The data of a message in the lobby, whose entry has this act.
    fn message_data(act: StoredAct, entry: Option<Act>) -> String {
        let message = StoredMessage {
            act,
            conversation: Conversation::Room(RoomName::lobby()),
            seq: Seq::from_raw(3),
            id: MessageId::from_raw("m"),
            author: ann(),
        };
        let entry = entry.map(|act| Entry {
            place: Place::room(&Space::root(), &RoomName::lobby()),
            position: Position::from_raw(3, 3),
            id: MessageId::from_raw("m"),
            author: ann(),
            author_name: None,
            at: OffsetDateTime::UNIX_EPOCH,
            act,
        });
        let body = single(sent(WebhookEvent::Message(message), entry));
        body.split_once(r#""data":"#).map(|(_, data)| data.to_owned()).unwrap_or_default()
    }

    fn said(kind: MessageKind, json: &str) -> Act {
        let attachments = vec![Bytes::from_static(&[0, 1])];
        let attachments = if json.contains("_placeholder") { attachments } else { Vec::new() };
        let body = Body::from_raw(json.into(), attachments);
        Act::Said { kind, content: Content::Body { body, edited_at: None } }
    }

    #[test]
    fn an_event_is_sent_as_documented() {
        let golden = concat!(
            r#"{"id":"msg_e_7","type":"user.online","timestamp":"1970-01-01T00:00:01.500Z","#,
            r#""space":"/","data":{"user":"ann"}}"#
        );
        let online = || sent(WebhookEvent::UserOnline(ann()), None);
        assert_eq!(single(online()), golden);
        let (id, form) = ("x".to_owned(), RequestForm::Batch);
        let batch = WebhookRequest { id, form, events: vec![online(), online()] };
        assert_eq!(webhook_body(&batch), format!(r#"{{"events":[{golden},{golden}]}}"#));
    }

    #[test]
    fn a_message_has_its_conversation_and_what_is_still_stored() {
        let stored = StoredAct::Stored;
        let plain = r#"{"room":"lobby","seq":3,"id":"m","user":"ann""#;
        assert_eq!(message_data(stored, None), format!("{plain}}}}}"));
        let text = message_data(stored, Some(said(MessageKind::Message, r#""hi""#)));
        assert_eq!(text, format!(r#"{plain},"event":"new message","msg":"hi"}}}}"#));
        let args = r#"[1,{"_placeholder":true,"num":0}]"#;
        let kind = MessageKind::Custom(EventName::from_raw("move"));
        let text = message_data(stored, Some(said(kind, args)));
        let expected = format!(r#"{plain},"event":"move","args":[1,{{"base64":"AAE="}}]}}}}"#);
        assert_eq!(text, expected);
        let of = Seq::from_raw(1);
        let text = message_data(StoredAct::Deleted(of), Some(Act::Deleted { of }));
        assert_eq!(text, format!(r#"{plain},"of":1,"event":"message deleted"}}}}"#));
        let removed = Act::Said { kind: MessageKind::Message, content: Content::Removed };
        assert!(!message_data(stored, Some(removed)).contains("msg\":"), "it was deleted since");
    }

    #[test]
    fn display_names_are_beside_the_names() {
        let (room, by) = (RoomName::lobby(), Some(UserName::from_raw("bob")));
        let event = WebhookEvent::MemberLeft { room, user: ann(), by };
        let names = [("ann", "Ann Lee"), ("bob", "Bob")];
        let names =
            names.map(|(user, name)| (UserName::from_raw(user), DisplayName::from_raw(name)));
        let left = single(SentEvent { names: names.into(), ..sent(event, None) });
        let data = concat!(
            r#""data":{"room":"lobby","user":"ann","name":"Ann Lee","by":"bob","#,
            r#""byName":"Bob"}}"#
        );
        assert!(left.ends_with(data), "{left}");
    }

    #[test]
    fn members_topics_and_connections_are_sent_as_documented() {
        let (room, user, role) = (RoomName::lobby(), ann(), Role::Admin);
        let by = Some(UserName::from_raw("bob"));
        let joined = single(sent(WebhookEvent::MemberJoined { room, user, role, by }, None));
        let data = r#""data":{"room":"lobby","user":"ann","role":"admin","by":"bob"}}"#;
        assert!(joined.ends_with(data), "{joined}");
        for text in ["Plans", ""] {
            let (room, user) = (RoomName::lobby(), ann());
            let topic = RoomTopic::from_raw(text);
            let changed = single(sent(WebhookEvent::RoomTopic { room, user, topic }, None));
            let data =
                format!("\"data\":{{\"room\":\"lobby\",\"user\":\"ann\",\"topic\":{text:?}}}}}");
            assert!(changed.ends_with(&data), "{changed}");
        }
        let node = NodeId::from_raw("n1");
        let connection = ConnectionAddress { node, connection: ConnectionId::from_raw(26) };
        let client = PresentClient { user: Some(ann()), address: Some("::1".into()) };
        for (reason, name) in [
            (ConnectionEnd::ByServer(CloseReason::TokenExpired), "token_expired"),
            (ConnectionEnd::ByClient, "client_namespace_disconnect"),
            (ConnectionEnd::TransportClosed, "transport_close"),
            (ConnectionEnd::ProtocolError, "parse_error"),
            (ConnectionEnd::NodeLost, "node_lost"),
        ] {
            let (connection, client) = (connection.clone(), client.clone());
            let closed = WebhookEvent::ConnectionClosed { connection, client, reason };
            let closed = single(sent(closed, None));
            let data = r#""data":{"connection":"n1.c1a","user":"ann","address":"::1","reason":"#;
            assert!(closed.ends_with(&format!("{data}\"{name}\"}}}}")), "{closed}");
        }
    }
}
