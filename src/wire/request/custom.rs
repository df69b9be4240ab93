//! Events of the application.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use serde_json::value::RawValue;

use super::{RequestData, body, other_user, string};
use crate::{
    chat::{CustomPost, Request},
    domain::{
        Body, CustomEvent, EventAction, EventName, EventRule, EventStorage, MessageId, Rejection,
        RoomAction, RoomName, RuleNumber,
    },
};

/// The members of the first argument that rules name.
type Fields<'a> = HashMap<Cow<'a, str>, &'a RawValue>;

/// Parses an event, whose rule says which members of its first argument have a meaning.
pub(super) fn event(
    name: EventName,
    (number, rule): (RuleNumber, &Arc<EventRule>),
    data: &RequestData<'_>,
) -> Result<Request, Rejection> {
    let event = CustomEvent { name, args: arguments(data)? };
    let mut post =
        CustomPost { event, rule: Arc::clone(rule), number, room: None, to: None, id: None };
    match &rule.action {
        EventAction::ToRoom(RoomAction { room_field, storage, .. }) => {
            let id_field = match storage {
                EventStorage::Kept { id_field } => id_field.as_deref(),
                EventStorage::Passing(_) => None,
            };
            if room_field.is_some() || id_field.is_some() {
                let fields = fields(data.raw);
                let room = field(&fields, room_field.as_deref(), Rejection::RoomInvalid)?;
                post.room = room.map(|it| RoomName::parse(&it)).transpose()?;
                let id = field(&fields, id_field, Rejection::IdInvalid)?;
                post.id = id.map(|it| MessageId::parse(&it)).transpose()?;
            }
        }
        EventAction::ToUser { field: name, .. } => {
            let fields = fields(data.raw);
            let to = field(&fields, Some(name), Rejection::NoSuchUser)?;
            post.to = Some(other_user(&to.ok_or(Rejection::NoSuchUser)?)?);
        }
        EventAction::ToBackend(_) | EventAction::Acknowledge => {}
    }
    Ok(Request::Custom(Box::new(post)))
}

/// All arguments, as an array.
pub(super) fn arguments(data: &RequestData<'_>) -> Result<Body, Rejection> {
    let all = data.raw.iter().chain(data.more).map(|it| it.get());
    let text = format!("[{}]", all.collect::<Vec<_>>().join(","));
    body::read(&text, data.encoding, data.attachments, data.context.limits)
}

/// The members of the first argument; none if it is no object.
fn fields(raw: Option<&RawValue>) -> Fields<'_> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

/// The text of a member, if it is there. A member of another type is refused.
fn field<'a>(
    fields: &Fields<'a>,
    name: Option<&str>,
    refusal: Rejection,
) -> Result<Option<Cow<'a, str>>, Rejection> {
    let Some(raw) = name.and_then(|name| fields.get(name)) else { return Ok(None) };
    if raw.get() == "null" {
        return Ok(None);
    }
    string(Some(raw)).map(Some).ok_or(refusal)
}
