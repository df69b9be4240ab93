//! What the page of the Admin UI sends: its credentials and its commands.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    chat::{AdminCommand, AdminRequest},
    domain::{CustomEvent, EventName, Limits, Rejection, RoomName, RoomSelector, Space, Token},
    wire::{
        body::{self, AttachmentEncoding},
        json,
        socketio::NAME_MARKER,
    },
};

const NO_COMMAND: Rejection = Rejection::BadRequest("this is no command of the Admin UI");

/// How a page says who its user is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminCredentials {
    /// With the session of an earlier login.
    Session(Token),
    /// With a name and a password.
    Password(Box<str>, Token),
    /// Not at all.
    None,
}

/// The credentials in the `auth` of CONNECT. Of several, the session counts.
pub fn credentials(auth: Option<&str>) -> AdminCredentials {
    /// Absent values are `null` or empty.
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Auth {
        session_id: Option<String>,
        username: Option<String>,
        password: Option<String>,
    }
    let auth = auth.and_then(|it| serde_json::from_str::<Auth>(it).ok()).unwrap_or_default();
    let Auth { session_id, username, password } = auth;
    if let Some(session) = session_id.filter(|it| !it.is_empty()) {
        return AdminCredentials::Session(Token::from_raw(&session));
    }
    match (username, password) {
        (Some(username), Some(password)) => {
            AdminCredentials::Password(username.into(), Token::from_raw(&password))
        }
        _ => AdminCredentials::None,
    }
}

/// Parses the array of a command.
pub fn request(array: &str, limits: &Limits) -> Result<AdminRequest, Rejection> {
    json::check_depth(array)?;
    let items: Vec<&RawValue> = serde_json::from_str(array).map_err(|_error| NO_COMMAND)?;
    let items = match &*items {
        [marker, rest @ ..] if marker.get() == NAME_MARKER.trim_end_matches(',') => rest,
        all => all,
    };
    let [command, namespace, args @ ..] = items else { return Err(NO_COMMAND) };
    let space = Space::parse(&string(namespace)?)?;
    let (filter, command) = match (&*string(command)?, args) {
        ("emit", [filter, event, args @ ..]) => {
            (selector(Some(filter))?, AdminCommand::Emit(custom_event(event, args, limits)?))
        }
        ("join", [room, rest @ ..]) => (selector(rest.first())?, AdminCommand::Join(name(room)?)),
        ("leave", [room, rest @ ..]) => (selector(rest.first())?, AdminCommand::Leave(name(room)?)),
        // The first argument says whether the transport is closed, too: it is, with its last socket.
        ("_disconnect", [_close, rest @ ..]) => (selector(rest.first())?, AdminCommand::Disconnect),
        _ => return Err(NO_COMMAND),
    };
    Ok(AdminRequest { space, filter, command })
}

fn name(room: &RawValue) -> Result<RoomName, Rejection> {
    RoomName::parse(&string(room)?)
}

fn custom_event(
    name: &RawValue,
    args: &[&RawValue],
    limits: &Limits,
) -> Result<CustomEvent, Rejection> {
    let args = format!("[{}]", args.iter().map(|it| it.get()).collect::<Vec<_>>().join(","));
    Ok(CustomEvent {
        name: EventName::parse_emitted(&string(name)?)?,
        args: body::read(&args, AttachmentEncoding::Placeholders, &[], limits)?,
    })
}

/// A room or an address. Without one, or with an empty one, all are meant.
fn selector(value: Option<&&RawValue>) -> Result<Option<RoomSelector>, Rejection> {
    let value = value.filter(|it| it.get() != "null");
    let text = value.map(|it| string(it)).transpose()?.filter(|it| !it.is_empty());
    Ok(text.map(|it| RoomSelector::parse(&it)))
}

fn string(value: &RawValue) -> Result<Cow<'_, str>, Rejection> {
    serde_json::from_str(value.get()).map_err(|_error| NO_COMMAND)
}
