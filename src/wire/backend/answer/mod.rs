//! Answers of back ends.
//!
//! Each kind has a struct with all of its keys: serde cannot flatten common ones and refuse unknown
//! ones as well.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::{
    chat::ports::{
        AcceptedConnection, AcceptedRequest, BackendAnswer, ConnectAnswer, ConnectIdentity,
        RequestAnswer, Rooms,
    },
    domain::{DisplayName, Limits, Refusal, RoomPattern, SpacePattern},
    wire::{
        action::{self, ActionData, arguments, message_body, user_name},
        invalid_data::{InvalidData, invalid, object_or_default, of_key, quoted},
        json,
    },
};

/// The longest code of a refusal, in bytes.
const CODE_BYTES_MAX: usize = 64;

/// An answer. All of it may be left out.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerData<'a> {
    #[serde(borrow, default)]
    ack: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "do")]
    actions: Vec<ActionData<'a>>,
    #[serde(borrow, default)]
    refuse: Option<RefusalData<'a>>,
}

/// An answer about a connection. All of it may be left out.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConnectAnswerData<'a> {
    identity: Option<IdentityData>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "do")]
    actions: Vec<ActionData<'a>>,
    #[serde(borrow, default)]
    refuse: Option<RefusalData<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct IdentityData {
    user: String,
    name: Option<String>,
    #[serde(default)]
    admin: bool,
    spaces: Option<Vec<String>>,
    rooms: Option<RoomsData>,
    /// Seconds since 1970.
    expires_at: Option<i64>,
}

/// As in a token.
#[derive(Deserialize)]
#[serde(untagged, expecting = "`rooms` is a list of rooms, or an object with their roles")]
enum RoomsData {
    List(Vec<String>),
    WithRoles(BTreeMap<String, String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefusalData<'a> {
    code: String,
    #[serde(default)]
    message: String,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// Parses an answer about a connection. An empty one accepts and asks for nothing.
pub fn connect_answer(text: &str, limits: &Limits) -> Result<ConnectAnswer, InvalidData> {
    let text = json::replace_lone_surrogates(text);
    let ConnectAnswerData { identity, data, actions, refuse } = object_or_default(&text)?;
    if let Some(refuse) = refuse {
        return refusal(refuse).map(ConnectAnswer::Refused);
    }
    if let Some(raw) = data {
        json::check_depth(raw.get()).map_err(|rejection| of_key("data", &rejection))?;
    }
    Ok(ConnectAnswer::Accepted(AcceptedConnection {
        identity: identity.map(self::identity).transpose()?,
        data: data.map(|it| it.get().into()),
        actions: action::actions(actions, action::action, limits)?,
    }))
}

/// An answer about an event that is kept. All of it may be left out.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptEventAnswerData<'a> {
    #[serde(borrow, default)]
    args: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "do")]
    actions: Vec<ActionData<'a>>,
    #[serde(borrow, default)]
    refuse: Option<RefusalData<'a>>,
}

/// An answer about a message. All of it may be left out.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageAnswerData<'a> {
    #[serde(borrow, default)]
    msg: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "do")]
    actions: Vec<ActionData<'a>>,
    #[serde(borrow, default)]
    refuse: Option<RefusalData<'a>>,
}

/// An answer about `join` or `invite`. All of it may be left out.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct MembershipAnswerData<'a> {
    role: Option<String>,
    #[serde(borrow, default, rename = "do")]
    actions: Vec<ActionData<'a>>,
    #[serde(borrow, default)]
    refuse: Option<RefusalData<'a>>,
}

/// Parses an answer about a message. An empty one accepts it as it is.
pub fn message_answer(text: &str, limits: &Limits) -> Result<RequestAnswer, InvalidData> {
    let text = json::replace_lone_surrogates(text);
    let MessageAnswerData { msg, actions, refuse } = object_or_default(&text)?;
    if let Some(refuse) = refuse {
        return refusal(refuse).map(RequestAnswer::Refused);
    }
    Ok(RequestAnswer::Accepted(AcceptedRequest {
        body: msg.map(|raw| message_body("msg", raw, limits)).transpose()?,
        role: None,
        actions: action::actions(actions, action::action, limits)?,
    }))
}

/// Parses an answer about an event that is kept. An empty one accepts it as it is.
pub fn kept_event_answer(text: &str, limits: &Limits) -> Result<RequestAnswer, InvalidData> {
    let text = json::replace_lone_surrogates(text);
    let KeptEventAnswerData { args, actions, refuse } = object_or_default(&text)?;
    if let Some(refuse) = refuse {
        return refusal(refuse).map(RequestAnswer::Refused);
    }
    Ok(RequestAnswer::Accepted(AcceptedRequest {
        body: args.map(|raw| arguments("args", raw, limits)).transpose()?,
        role: None,
        actions: action::actions(actions, action::action, limits)?,
    }))
}

/// Parses an answer about `join` or `invite`. An empty one accepts it as it is.
pub fn membership_answer(text: &str, limits: &Limits) -> Result<RequestAnswer, InvalidData> {
    let text = json::replace_lone_surrogates(text);
    let MembershipAnswerData { role, actions, refuse } = object_or_default(&text)?;
    if let Some(refuse) = refuse {
        return refusal(refuse).map(RequestAnswer::Refused);
    }
    Ok(RequestAnswer::Accepted(AcceptedRequest {
        body: None,
        role: role.as_deref().map(action::role).transpose()?,
        actions: action::actions(actions, action::action, limits)?,
    }))
}

/// Parses an answer to an event. An empty one accepts and asks for nothing.
pub fn answer(text: &str, limits: &Limits) -> Result<BackendAnswer, InvalidData> {
    let text = json::replace_lone_surrogates(text);
    let AnswerData { ack, actions, refuse } = object_or_default(&text)?;
    if let Some(refuse) = refuse {
        return refusal(refuse).map(BackendAnswer::Refused);
    }
    let ack = ack.map(|raw| arguments("ack", raw, limits)).transpose()?;
    Ok(BackendAnswer::Accepted { ack, actions: action::actions(actions, action::action, limits)? })
}

fn identity(data: IdentityData) -> Result<ConnectIdentity, InvalidData> {
    let IdentityData { user, name, admin, spaces, rooms, expires_at } = data;
    let time = |seconds| {
        OffsetDateTime::from_unix_timestamp(seconds)
            .map_err(|_error| InvalidData::new("`expiresAt` is not a time".to_owned()))
    };
    Ok(ConnectIdentity {
        user: user_name(&user)?,
        name: name.as_deref().and_then(DisplayName::parse),
        admin,
        spaces: spaces.as_deref().map_or(Ok(Vec::new()), self::spaces)?,
        rooms: rooms.map_or(Ok(Rooms::All), self::rooms)?,
        expires_at: expires_at.map(time).transpose()?,
    })
}

/// An empty list is refused: it would mean all spaces.
fn spaces(data: &[String]) -> Result<Vec<SpacePattern>, InvalidData> {
    if data.is_empty() {
        return invalid("`spaces` is empty");
    }
    let pattern = |raw: &String| {
        let parsed = SpacePattern::parse(raw);
        parsed.map_err(|_rejection| {
            InvalidData::new(format!("{} is not a space or a pattern", quoted(raw)))
        })
    };
    data.iter().map(pattern).collect()
}

fn rooms(data: RoomsData) -> Result<Rooms, InvalidData> {
    let pattern = |raw: &str| {
        let parsed = RoomPattern::parse(raw);
        parsed.map_err(|_rejection| {
            InvalidData::new(format!("{} is not a room or a pattern", quoted(raw)))
        })
    };
    let only: Result<_, _> = match data {
        RoomsData::List(list) => list.iter().map(|it| Ok((pattern(it)?, None))).collect(),
        RoomsData::WithRoles(rooms) => {
            rooms.iter().map(|(it, role)| Ok((pattern(it)?, Some(action::role(role)?)))).collect()
        }
    };
    only.map(Rooms::Only)
}

fn refusal(data: RefusalData<'_>) -> Result<Refusal, InvalidData> {
    let RefusalData { code, message, data } = data;
    let is_code = (1..=CODE_BYTES_MAX).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_code {
        return invalid("a code has 1 to 64 visible ASCII characters");
    }
    if let Some(raw) = data {
        json::check_depth(raw.get()).map_err(|rejection| of_key("data", &rejection))?;
    }
    let message = if message.is_empty() { code.clone() } else { message };
    let data = data.map(|it| it.get().into());
    Ok(Refusal { code: code.into(), message: message.into(), data })
}

#[cfg(test)]
mod tests;
