//! The encoding of entries and places.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    DecodeError, Malformed,
    values::{
        Text, event_name, event_of, from_ms, kind_name, kind_named, name, parse_id, position,
        seq_of, to_ms, user,
    },
};
use crate::{
    chat::{
        event::{Delivery, Event},
        ports::ClusterEvent,
    },
    domain::{
        self, ConnectionAddress, Content, Conversation, CustomEvent, CustomTarget, DisplayName,
        MessageId, PassingDelivery, Position, RoomName, RoomTopic, Seq,
    },
};

/// The longest step of a trace that is kept: those of the present format have 55 bytes.
const TRACE_BYTES_MAX: usize = 128;

/// A space and one of the others.
#[derive(Serialize, Deserialize)]
pub(super) struct PlacePayload<'a> {
    #[serde(borrow)]
    space: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    room: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    direct: Option<(Text<'a>, Text<'a>)>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    inbox: Option<Text<'a>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct EntryPayload<'a> {
    #[serde(borrow)]
    place: PlacePayload<'a>,
    seq: u64,
    messages: u64,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    author: Text<'a>,
    /// The author's display name.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    name: Option<Text<'a>>,
    at_ms: i64,
    /// `said`, `edited`, `deleted` or `topic`.
    #[serde(borrow)]
    act: Text<'a>,
    /// For messages.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    kind: Option<Text<'a>>,
    /// The name of the event, for one of the application.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    event: Option<Text<'a>>,
    /// The seq of the message that was edited or deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of: Option<u64>,
    /// Missing when the message has no content any more.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    body: Option<BodyPayload<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    edited_at_ms: Option<i64>,
    /// The step of a trace, for sampled requests. Earlier versions have none.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    trace: Option<Text<'a>>,
    /// Missing when the topic was removed.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    topic: Option<Text<'a>>,
}

/// An event of the application that is not stored.
#[derive(Serialize, Deserialize)]
pub(super) struct CustomEventPayload<'a> {
    /// Who receives it: a place, a space, or a connection in a space.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    place: Option<PlacePayload<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    space: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    connection: Option<Text<'a>>,
    /// The connection that does not receive it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    except: Option<Text<'a>>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    args: BodyPayload<'a>,
    volatile: bool,
    /// By which a session that moves to another node recognises it. Earlier versions have none.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    id: Option<Text<'a>>,
}

/// See [`CustomEventPayload::parts`].
type CustomEventParts = (CustomTarget, Option<ConnectionAddress>, CustomEvent, PassingDelivery);

#[derive(Serialize, Deserialize)]
pub(super) struct BodyPayload<'a> {
    #[serde(borrow)]
    json: &'a RawValue,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<String>,
}

impl<'a> PlacePayload<'a> {
    pub(super) fn of(place: &'a domain::Place) -> Self {
        let domain::Place { space, conversation } = place;
        let (room, direct, inbox) = match conversation {
            Conversation::Room(room) => (Some(room.as_raw().into()), None, None),
            Conversation::Direct(one, other) => (None, Some((name(one), name(other))), None),
            Conversation::Inbox(user) => (None, None, Some(name(user))),
        };
        Self { space: space.as_raw().into(), room, direct, inbox }
    }

    pub(super) fn parse(&self) -> Result<domain::Place, DecodeError> {
        let Self { space, room, direct, inbox } = self;
        let conversation = match (room, direct, inbox) {
            (Some(room), None, None) => {
                Conversation::Room(RoomName::parse(room).ok().ok_or(Malformed::Value("room"))?)
            }
            (None, Some((one, other)), None) => Conversation::direct(user(one)?, user(other)?),
            (None, None, Some(inbox)) => Conversation::Inbox(user(inbox)?),
            (None, None, None) => return Err(DecodeError::Unknown),
            _ => return Err(Malformed::Form.into()),
        };
        Ok(domain::Place { space: super::values::space(space)?, conversation })
    }
}

impl<'a> EntryPayload<'a> {
    /// `traceparent` is the step of a trace in which the entry is published.
    pub(super) fn of(
        entry: &'a domain::Entry,
        traceparent: Option<&'a str>,
    ) -> Result<Self, Malformed> {
        let domain::Entry { place, position, id, author, author_name, at, act } = entry;
        let topic = match act {
            domain::Act::Topic(topic) => topic.as_ref().map(|it| it.as_raw().into()),
            domain::Act::Said { .. } | domain::Act::Edited { .. } | domain::Act::Deleted { .. } => {
                None
            }
        };
        let (act, kind, of, body, edited_at) = match act {
            domain::Act::Said { kind, content: Content::Body { body, edited_at } } => {
                ("said", Some(kind), None, Some(body), *edited_at)
            }
            domain::Act::Said { kind, content: Content::Removed } => {
                ("said", Some(kind), None, None, None)
            }
            domain::Act::Edited { of, body } => ("edited", None, Some(*of), body.as_ref(), None),
            domain::Act::Deleted { of } => ("deleted", None, Some(*of), None, None),
            domain::Act::Topic(_) => ("topic", None, None, None, None),
        };

        let Position { seq, messages } = *position;
        Ok(Self {
            place: PlacePayload::of(place),
            seq: seq.as_raw(),
            messages,
            id: id.as_raw().into(),
            author: name(author),
            name: author_name.as_ref().map(|it| it.as_raw().into()),
            at_ms: to_ms(*at)?,
            act: act.into(),
            kind: kind.map(|kind| kind_name(kind).into()),
            event: kind.and_then(event_of),
            of: of.map(Seq::as_raw),
            body: body.map(BodyPayload::of).transpose()?,
            edited_at_ms: edited_at.map(to_ms).transpose()?,
            trace: traceparent.map(Into::into),
            topic,
        })
    }

    pub(super) fn parse(self) -> Result<ClusterEvent, DecodeError> {
        let Self {
            place,
            seq,
            messages,
            id,
            author,
            name,
            at_ms,
            act,
            kind,
            event,
            of,
            body,
            edited_at_ms,
            trace,
            topic,
        } = self;
        let body = body.map(BodyPayload::parse).transpose()?;
        let of = || seq_of(of.ok_or(Malformed::Form)?);
        let act = match &*act {
            "said" => {
                let kind = kind_named(&kind.ok_or(Malformed::Form)?, event.as_deref())?;
                let edited_at = edited_at_ms.map(from_ms).transpose()?;
                let content =
                    body.map_or(Content::Removed, |body| Content::Body { body, edited_at });
                domain::Act::Said { kind, content }
            }
            "edited" => domain::Act::Edited { of: of()?, body },
            "deleted" => domain::Act::Deleted { of: of()? },
            "topic" => {
                let topic = RoomTopic::parse(&topic.unwrap_or_default());
                domain::Act::Topic(topic.ok().ok_or(Malformed::Value("topic"))?)
            }
            _ => return Err(DecodeError::Unknown),
        };
        let entry = domain::Entry {
            place: place.parse()?,
            position: position(seq, messages)?,
            id: MessageId::parse(&id).ok().ok_or(Malformed::Value("id"))?,
            author: user(&author)?,
            author_name: name.and_then(|it| DisplayName::parse(&it)),
            at: from_ms(at_ms)?,
            act,
        };
        let trace = trace.filter(|it| it.len() <= TRACE_BYTES_MAX);
        let delivery =
            Delivery::traced(Event::Entry(entry), trace.map(|it| it.into_owned().into()));
        Ok(ClusterEvent::Entry(delivery))
    }
}

impl<'a> CustomEventPayload<'a> {
    pub(super) fn of(
        to: &'a CustomTarget,
        except: Option<&'a ConnectionAddress>,
        event: &'a CustomEvent,
        delivery: PassingDelivery,
    ) -> Result<Self, Malformed> {
        let CustomEvent { name, args } = event;
        let (place, space, connection) = match to {
            CustomTarget::Place(place) => (Some(PlacePayload::of(place)), None, None),
            CustomTarget::Space(space) => (None, Some(space.as_raw().into()), None),
            CustomTarget::Connection(space, address) => {
                (None, Some(space.as_raw().into()), Some(address.to_string().into()))
            }
        };
        Ok(Self {
            place,
            space,
            connection,
            except: except.map(|it| it.to_string().into()),
            name: name.as_raw().into(),
            args: BodyPayload::of(args)?,
            volatile: delivery == PassingDelivery::Volatile,
            id: None,
        })
    }

    /// The same with the id of the delivery.
    pub(super) fn with_id(self, id: Option<&'a str>) -> Self {
        Self { id: id.map(Into::into), ..self }
    }

    pub(super) fn parse(mut self) -> Result<ClusterEvent, DecodeError> {
        let id = self.id.take().map(|it| parse_id(&it, "event").map(Into::into)).transpose()?;
        let (to, except, event, delivery) = self.parts()?;
        let event = Delivery::with_id(Event::Custom(event), id);
        Ok(ClusterEvent::Custom { to, except, event, delivery })
    }

    /// The target, the connection that does not receive the event, the event, and how it is
    /// delivered.
    pub(super) fn parts(self) -> Result<CustomEventParts, DecodeError> {
        let Self { place, space, connection, except, name, args, volatile, id: _ } = self;
        let to = match (place, space, connection) {
            (Some(place), None, None) => CustomTarget::Place(place.parse()?),
            (None, Some(space), None) => CustomTarget::Space(super::values::space(&space)?),
            (None, Some(space), Some(connection)) => {
                CustomTarget::Connection(super::values::space(&space)?, address(&connection)?)
            }
            (None, None, None) => return Err(DecodeError::Unknown),
            _ => return Err(Malformed::Form.into()),
        };
        let except = except.as_ref().map(address).transpose()?;
        let event = CustomEvent { name: event_name(&name)?, args: args.parse()? };
        let delivery = if volatile { PassingDelivery::Volatile } else { PassingDelivery::Reliable };
        Ok((to, except, event, delivery))
    }
}

pub(super) fn address(raw: &Text<'_>) -> Result<ConnectionAddress, Malformed> {
    ConnectionAddress::parse(raw).ok().ok_or(Malformed::Value("connection"))
}

impl<'a> BodyPayload<'a> {
    pub(super) fn of(body: &'a domain::Body) -> Result<Self, Malformed> {
        let json = serde_json::from_str(body.json()).ok().ok_or(Malformed::NotEncodable)?;
        let attachments = body.attachments().iter().map(|it| BASE64_STANDARD.encode(it)).collect();
        Ok(Self { json, attachments })
    }

    pub(super) fn parse(self) -> Result<domain::Body, Malformed> {
        let Self { json, attachments } = self;
        let bytes = attachments.iter().map(|it| BASE64_STANDARD.decode(it).map(Into::into));
        let attachments: Result<_, _> = bytes.collect();
        let attachments = attachments.ok().ok_or(Malformed::Value("attachment"))?;
        Ok(domain::Body::from_raw(json.get().into(), attachments))
    }
}
