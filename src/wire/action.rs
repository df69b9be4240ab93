//! What back ends ask for: the same list in their answers and in the API.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::{
    body::{self, AttachmentEncoding},
    invalid_data::{InvalidData, invalid, of_key, quoted},
    json,
    schema::{self, BodySchema},
};
use crate::{
    chat::ports::{Action, DisconnectTarget, EmitTarget},
    domain::{
        AfterDisconnect, Body, ConnectionAddress, CustomEvent, DeviceId, EventName, EventStorage,
        Limits, MessageId, PassingDelivery, Role, RoomName, UserName, ValueType,
    },
};

/// The most actions in one list.
const ACTIONS_MAX: usize = 1000;
/// `{"emit": {…}}`, for example.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum ActionData<'a> {
    #[serde(borrow)]
    Emit(EmitData<'a>),
    #[serde(borrow)]
    Message(MessageData<'a>),
    #[serde(borrow)]
    Notify(NotifyData<'a>),
    Join(MemberData),
    Leave(MemberData),
    Kick(MemberData),
    Disconnect(DisconnectData),
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Emit)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "these are the fields on the wire")]
pub(super) struct EmitData<'a> {
    #[schema(format = "event-name", min_length = 1)]
    event: String,
    #[serde(borrow, default)]
    #[schema(value_type = Option<Vec<serde_json::Value>>)]
    args: Option<&'a RawValue>,
    to: TargetData,
    /// A connection that does not receive it. Not with `kept`.
    #[schema(format = "connection", min_length = 1)]
    except: Option<String>,
    /// An entry of the room's log, in the name of `user`. Only to a room, and not `volatile`.
    #[serde(default)]
    kept: bool,
    /// Dropped for a client that reads too slowly.
    #[serde(default)]
    volatile: bool,
    /// With `kept`: the same id again stores nothing.
    #[schema(format = "message-id", min_length = 1)]
    id: Option<String>,
}

/// One of the four.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetData {
    room: Option<String>,
    user: Option<String>,
    connection: Option<String>,
    #[serde(default)]
    space: bool,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Message)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageData<'a> {
    #[schema(format = "room-name", min_length = 1)]
    room: String,
    /// Its author, `user` beside the list when it is left out.
    #[schema(format = "user-name", min_length = 1)]
    user: Option<String>,
    #[serde(borrow)]
    #[schema(value_type = BodySchema)]
    msg: &'a RawValue,
    /// The same id again stores nothing.
    #[schema(format = "message-id", min_length = 1)]
    id: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Notify)]
#[serde(deny_unknown_fields)]
pub(super) struct NotifyData<'a> {
    #[schema(format = "user-name", min_length = 1)]
    to: String,
    #[serde(borrow)]
    #[schema(value_type = BodySchema)]
    data: &'a RawValue,
    /// The same id again stores nothing.
    #[schema(format = "message-id", min_length = 1)]
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberData {
    room: String,
    user: Option<String>,
    role: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DisconnectData {
    user: Option<String>,
    device: Option<String>,
    connection: Option<String>,
    #[serde(default)]
    reconnect: bool,
}

/// One of the keys of the enumeration.
impl PartialSchema for ActionData<'_> {
    fn schema() -> RefOr<Schema> {
        schema::one_key_of(vec![
            ("emit", EmitData::schema()),
            ("message", MessageData::schema()),
            ("notify", NotifyData::schema()),
            ("join", MemberData::schema_of(&["room"], &["role", "user"])),
            ("leave", MemberData::schema_of(&["room"], &["user"])),
            ("kick", MemberData::schema_of(&["room", "user"], &[])),
            ("disconnect", DisconnectData::schema()),
        ])
    }
}

impl ToSchema for ActionData<'_> {
    fn name() -> Cow<'static, str> {
        "Action".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        EmitData::schemas(schemas);
    }
}

impl MemberData {
    /// As [`action`] reads it, with these keys.
    fn schema_of(required: &[&str], optional: &[&str]) -> RefOr<Schema> {
        let mut object = schema::closed_object();
        for key in required.iter().chain(optional) {
            let schema = match *key {
                "room" => schema::text("room-name"),
                "user" if required.contains(key) => schema::text("user-name"),
                "user" => schema::text_or_null("user-name"),
                _ => schema::role_or_null(),
            };
            object = object.property(*key, schema);
        }
        required.iter().fold(object, |object, key| object.required(*key)).into()
    }
}

/// As [`target`] reads it.
impl PartialSchema for TargetData {
    fn schema() -> RefOr<Schema> {
        schema::one_key_of(vec![
            ("room", schema::text("room-name")),
            ("user", schema::text("user-name")),
            ("connection", schema::text("connection")),
            ("space", schema::only_true()),
        ])
    }
}

impl ToSchema for TargetData {
    fn name() -> Cow<'static, str> {
        "Target".into()
    }
}

/// As [`action`] reads it.
impl PartialSchema for DisconnectData {
    fn schema() -> RefOr<Schema> {
        let (user, connection) = (schema::text("user-name"), schema::text("connection"));
        schema::one_key_of(vec![("user", user), ("connection", connection)])
    }
}

/// The actions of a list. An error names the place of its item.
pub(super) fn actions<T>(
    list: Vec<T>,
    action: impl Fn(T, &Limits) -> Result<Action, InvalidData>,
    limits: &Limits,
) -> Result<Vec<Action>, InvalidData> {
    if list.len() > ACTIONS_MAX {
        return invalid("there are more than 1000 actions");
    }
    let number = |(place, item)| action(item, limits).map_err(|invalid| invalid.in_item(place + 1));
    list.into_iter().enumerate().map(number).collect()
}

pub(super) fn action(data: ActionData<'_>, limits: &Limits) -> Result<Action, InvalidData> {
    match data {
        ActionData::Emit(data) => emit(data, limits),
        ActionData::Message(data) => message(data, limits),
        ActionData::Notify(data) => notify(data, limits),
        ActionData::Join(MemberData { room, user, role }) => Ok(Action::Join {
            user: maybe_user(user.as_deref())?,
            room: room_name(&room)?,
            role: role.as_deref().map(self::role).transpose()?,
        }),
        ActionData::Kick(data) if data.user.is_none() => Err(InvalidData::missing("user")),
        ActionData::Leave(data) | ActionData::Kick(data) => leave(data),
        ActionData::Disconnect(data) => disconnect(data),
    }
}

pub(super) fn message(data: MessageData<'_>, limits: &Limits) -> Result<Action, InvalidData> {
    let MessageData { room, user, msg, id } = data;
    Ok(Action::Message {
        room: room_name(&room)?,
        user: maybe_user(user.as_deref())?,
        body: message_body("msg", msg, limits)?,
        id: message_id(id.as_deref())?,
    })
}

pub(super) fn notify(data: NotifyData<'_>, limits: &Limits) -> Result<Action, InvalidData> {
    let NotifyData { to, data, id } = data;
    Ok(Action::Notify {
        to: user_name(&to)?,
        body: message_body("data", data, limits)?,
        id: message_id(id.as_deref())?,
    })
}

pub(super) fn emit(data: EmitData<'_>, limits: &Limits) -> Result<Action, InvalidData> {
    let EmitData { event, args, to, except, kept, volatile, id } = data;
    let event = custom_event(&event, args, limits)?;
    let to = target(to)?;
    let storage = match (kept, volatile) {
        (true, true) => return invalid("`kept` and `volatile` exclude each other"),
        (true, false) if !matches!(to, EmitTarget::Room(_)) => {
            return invalid("only events to a room are kept");
        }
        (true, false) => EventStorage::Kept { id_field: None },
        (false, true) => EventStorage::Passing(PassingDelivery::Volatile),
        (false, false) => EventStorage::Passing(PassingDelivery::Reliable),
    };
    // The log of a room is the same for all who may read it.
    if except.is_some() && kept {
        return invalid("`kept` and `except` exclude each other");
    }
    if id.is_some() && !kept {
        return invalid("only events that are kept have an `id`");
    }
    let (id, except) = (message_id(id.as_deref())?, except.as_deref().map(address).transpose()?);
    Ok(Action::Emit { event, to, except, storage, id })
}

/// An event of the application, without arguments where there are none.
pub(super) fn custom_event(
    event: &str,
    args: Option<&RawValue>,
    limits: &Limits,
) -> Result<CustomEvent, InvalidData> {
    let name = EventName::parse_emitted(event);
    let name = name.map_err(|_error| {
        InvalidData::new(format!(
            "{} is not the name of an event of the application",
            quoted(event)
        ))
    })?;
    let args = match args {
        Some(raw) => arguments("args", raw, limits)?,
        None => Body::from_raw("[]".into(), Vec::new()),
    };
    Ok(CustomEvent { name, args })
}

pub(super) fn target(data: TargetData) -> Result<EmitTarget, InvalidData> {
    match data {
        TargetData { room: Some(room), user: None, connection: None, space: false } => {
            room_name(&room).map(EmitTarget::Room)
        }
        TargetData { room: None, user: Some(user), connection: None, space: false } => {
            user_name(&user).map(EmitTarget::User)
        }
        TargetData { room: None, user: None, connection: Some(connection), space: false } => {
            address(&connection).map(EmitTarget::Connection)
        }
        TargetData { room: None, user: None, connection: None, space: true } => {
            Ok(EmitTarget::Space)
        }
        _ => invalid("`to` is one of room, user, connection and `space: true`"),
    }
}

fn leave(data: MemberData) -> Result<Action, InvalidData> {
    let MemberData { room, user, role } = data;
    if role.is_some() {
        return invalid("only `join` has a role");
    }
    Ok(Action::Leave { user: maybe_user(user.as_deref())?, room: room_name(&room)? })
}

fn disconnect(data: DisconnectData) -> Result<Action, InvalidData> {
    let DisconnectData { user, device, connection, reconnect } = data;
    let target = match (user, device, connection) {
        (Some(user), None, None) => DisconnectTarget::User(user_name(&user)?),
        (Some(user), Some(raw), None) => {
            let device = DeviceId::parse(&raw);
            let device =
                device.map_err(|it| InvalidData::new(format!("{}: {it}", quoted(&raw))))?;
            DisconnectTarget::Device(user_name(&user)?, device)
        }
        (None, None, Some(connection)) => DisconnectTarget::Connection(address(&connection)?),
        (None, Some(_), None) => return invalid("`device` needs `user`"),
        _ => return invalid("`disconnect` needs `user` or `connection`"),
    };
    let after = if reconnect { AfterDisconnect::Reconnect } else { AfterDisconnect::StayAway };
    Ok(Action::Disconnect(target, after))
}

/// Arguments: an array.
pub(super) fn arguments(
    key: &'static str,
    raw: &RawValue,
    limits: &Limits,
) -> Result<Body, InvalidData> {
    if !raw.get().starts_with('[') {
        return Err(InvalidData::mistyped(key, ValueType::List));
    }
    message_body(key, raw, limits)
}

pub(super) fn message_body(
    key: &str,
    raw: &RawValue,
    limits: &Limits,
) -> Result<Body, InvalidData> {
    json::check_depth(raw.get()).map_err(|rejection| of_key(key, &rejection))?;
    let read = body::read(raw.get(), AttachmentEncoding::Base64, &[], limits);
    read.map_err(|rejection| of_key(key, &rejection))
}

pub(super) fn room_name(raw: &str) -> Result<RoomName, InvalidData> {
    RoomName::parse(raw)
        .map_err(|rejection| InvalidData::new(format!("{}: {rejection}", quoted(raw))))
}

pub(super) fn user_name(raw: &str) -> Result<UserName, InvalidData> {
    UserName::parse(raw)
        .map_err(|rejection| InvalidData::new(format!("{}: {rejection}", quoted(raw))))
}

pub(super) fn maybe_user(raw: Option<&str>) -> Result<Option<UserName>, InvalidData> {
    raw.map(user_name).transpose()
}

fn message_id(raw: Option<&str>) -> Result<Option<MessageId>, InvalidData> {
    let parse = |raw: &str| {
        MessageId::parse(raw)
            .map_err(|rejection| InvalidData::new(format!("{}: {rejection}", quoted(raw))))
    };
    raw.map(parse).transpose()
}

pub(super) fn address(raw: &str) -> Result<ConnectionAddress, InvalidData> {
    let parsed = ConnectionAddress::parse(raw);
    parsed.map_err(|_rejection| InvalidData::new(format!("{} is not a connection", quoted(raw))))
}

pub(super) fn role(raw: &str) -> Result<Role, InvalidData> {
    Role::from_raw(raw).ok_or_else(|| InvalidData::new(format!("{} is not a role", quoted(raw))))
}
