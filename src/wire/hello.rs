//! Handshake parameters, from the query or the Socket.IO `auth` payload.

use std::{borrow::Cow, collections::BTreeMap};

use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::{
    keys, percent,
    request::{epoch, seq},
};
use crate::{
    chat::{Hello, ports::ClientInfo},
    domain::{DeviceId, Rejection, RoomName, Seq, Space, Token},
};

const DUPLICATE_PARAMETER: Rejection = Rejection::BadRequest("the query says the same thing twice");
const BAD_SINCE: Rejection = Rejection::BadRequest("since is written room:seq,room:seq");

/// Parses the query of a connection to `space`. Unknown parameters are ignored, and so is the
/// token, which the transports read.
pub fn hello_from_query(space: Space, query: &str) -> Result<Hello, Rejection> {
    let parameters = Parameters::read(query)?;
    let value = |name| parameters.value(name);
    let device = value("device")?.map(DeviceId::parse).transpose()?;
    let room = value("room")?.map(RoomName::parse).transpose()?;
    let epoch = value("epoch")?.map(epoch).transpose()?;
    let since = value("since")?.map(since_from_query).transpose()?.unwrap_or_default();
    Ok(Hello { space, token: None, device, room, since, epoch, client: ClientInfo::default() })
}

/// The same of a client that speaks a dialect, which cannot return with `since`.
pub fn dialect_hello_from_query(space: Space, query: &str) -> Result<Hello, Rejection> {
    let parameters = Parameters::read(query)?;
    let device = parameters.value("device")?.map(DeviceId::parse).transpose()?;
    let room = parameters.value("room")?.map(RoomName::parse).transpose()?;
    let (since, client) = (Vec::new(), ClientInfo::default());
    Ok(Hello { space, token: None, device, room, since, epoch: None, client })
}

/// One parameter of a query, decoded.
pub(crate) fn parameter(query: &str, wanted: &str) -> Result<Option<String>, Rejection> {
    Ok(Parameters::read(query)?.value(wanted)?.map(str::to_owned))
}

/// All parameters of a query, decoded. Of several with one name the last counts, and one that is not
/// UTF-8 is left out.
pub(super) fn query_parameters(query: &str) -> BTreeMap<String, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let decoded = pairs.filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode(key).ok()?.into_owned(), decode(value).ok()?.into_owned()))
    });
    decoded.collect()
}

/// A query's parameters, decoded.
pub(super) struct Parameters<'q>(pub(super) Vec<(Cow<'q, str>, Cow<'q, str>)>);

impl<'q> Parameters<'q> {
    pub(super) fn read(query: &'q str) -> Result<Self, Rejection> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(key)?, decode(value)?))
        });
        decoded.collect::<Result<_, _>>().map(Self)
    }

    /// The value of a parameter that is there once at most.
    pub(super) fn value(&self, wanted: &str) -> Result<Option<&str>, Rejection> {
        let mut found = self.0.iter().filter(|(key, _)| key == wanted);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(DUPLICATE_PARAMETER),
            (found, None) => Ok(found.map(|(_, value)| value.as_ref())),
        }
    }
}

/// Decodes a key or a value. `+` stands for a space, as forms write it.
fn decode(text: &str) -> Result<Cow<'_, str>, Rejection> {
    let decoded = if text.contains('+') {
        let spaced = text.replace('+', " ");
        percent::decode(&spaced).map(|it| Cow::Owned(it.into_owned()))
    } else {
        percent::decode(text)
    };
    decoded.ok_or(Rejection::BadRequest("the query is not percent-encoded UTF-8"))
}

/// `lobby:41,news:7`, where rooms are percent-encoded.
///
/// Clients that encode the room only once, as part of an address, write `a%2Cb:7`, and its comma
/// arrives here as one. So a comma ends a pair only where a number stands before it.
fn since_from_query(text: &str) -> Result<Vec<(RoomName, Seq)>, Rejection> {
    let mut pairs = Vec::new();
    let mut begun = String::new();
    for part in text.split(',') {
        if !begun.is_empty() {
            begun.push(',');
        }
        begun.push_str(part);
        let Some((room, number)) = begun.rsplit_once(':') else { continue };
        let Ok(number) = number.parse() else { continue };
        let room = percent_decode_str(room).decode_utf8().map_err(|_error| BAD_SINCE)?;
        pairs.push((RoomName::parse(&room)?, seq(number)?));
        begun.clear();
    }
    // Commas at the end are ignored.
    if begun.bytes().all(|byte| byte == b',') { Ok(pairs) } else { Err(BAD_SINCE) }
}

/// The `auth` of a Socket.IO connection.
#[derive(Default, Deserialize)]
struct AuthPayload {
    token: Option<String>,
    device: Option<String>,
    room: Option<String>,
    since: Option<Since>,
    epoch: Option<String>,
}

/// `since` in `auth`: an object, or text as in a query.
#[derive(Deserialize)]
#[serde(untagged)]
enum Since {
    Object(BTreeMap<String, u64>),
    Text(String),
}

/// Parses an `auth` payload. The query supplies the fields that it leaves out, and `request_token`,
/// of the first HTTP request, supplies the token.
pub(super) fn hello_from_auth(
    space: Space,
    auth: Option<&str>,
    query: &str,
    request_token: Result<Option<Token>, Rejection>,
) -> Result<Hello, Rejection> {
    let (auth, hello) = (read_auth(auth)?, hello_from_query(space, query)?);
    let AuthPayload { token, device, room, since, epoch: database } = auth;
    let token = match token {
        Some(token) => Some(Token::from_raw(&token)),
        None => request_token?,
    };
    let device = device.as_deref().map(DeviceId::parse).transpose()?;
    let room = room.as_deref().map(RoomName::parse).transpose()?;
    let since = since.map(Since::read).transpose()?;
    let database = database.as_deref().map(epoch).transpose()?;
    Ok(Hello {
        token,
        device: device.or(hello.device),
        room: room.or(hello.room),
        since: since.unwrap_or(hello.since),
        epoch: database.or(hello.epoch),
        ..hello
    })
}

fn read_auth(auth: Option<&str>) -> Result<AuthPayload, Rejection> {
    let Some(auth) = auth.filter(|auth| *auth != "null") else { return Ok(AuthPayload::default()) };
    super::json::check_depth(auth)?;
    serde_json::from_str(auth).map_err(|error| match keys::of_error(auth, &error) {
        Some(refused) => Rejection::Keys(Box::new(refused.mismatch)),
        None => Rejection::BadRequest("auth is not of the documented form"),
    })
}

impl Since {
    fn read(self) -> Result<Vec<(RoomName, Seq)>, Rejection> {
        match self {
            Self::Text(text) => since_from_query(&text),
            Self::Object(rooms) => {
                let pairs = rooms.iter();
                pairs.map(|(room, number)| Ok((RoomName::parse(room)?, seq(*number)?))).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Epoch;

    fn pairs(hello: &Hello) -> Vec<(&str, u64)> {
        hello.since.iter().map(|(room, seq)| (room.as_raw(), seq.as_raw())).collect()
    }

    fn from_auth(auth: &str, query: &str) -> Result<Hello, Rejection> {
        hello_from_auth(Space::root(), Some(auth), query, Ok(Some(Token::from_raw("carried"))))
    }

    #[test]
    fn a_query_has_everything_but_the_token() {
        let query = "token=a.b.c&room=news&since=lobby:41,a:b:7&epoch=e1&device=phone&x=1";
        let hello = hello_from_query(Space::root(), query).unwrap();
        assert_eq!(hello.token, None);
        assert_eq!(hello.room, Some(RoomName::parse("news").unwrap()));
        assert_eq!(hello.device, Some(DeviceId::parse("phone").unwrap()));
        assert_eq!(pairs(&hello), [("lobby", 41), ("a:b", 7)]);
        assert_eq!(hello.epoch, Some(Epoch::from_raw("e1")));
    }

    #[test]
    fn rooms_in_since_are_percent_encoded_once_or_twice() {
        for room in ["Room 1", "a,b", "#général 😀", "x:7", "100%", "a+b", "user@example.com"] {
            let encode = |text: &str| {
                percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                    .to_string()
            };
            let once = format!("since={}:41,lobby:2,", encode(room));
            let twice = format!("since={}", encode(&format!("{}:41,lobby:2", encode(room))));
            for query in [once, twice] {
                let hello = hello_from_query(Space::root(), &query).unwrap();
                assert_eq!(pairs(&hello), [(room, 41), ("lobby", 2)], "{query}");
            }
        }
        let nfd = "since=\u{1112}\u{1161}\u{11ab}:1";
        assert_eq!(pairs(&hello_from_query(Space::root(), nfd).unwrap()), [("한", 1)]);
    }

    #[test]
    fn auth_overrides_the_query_and_the_token_of_the_request() {
        let auth = r#"{"token":"mine","device":"phone","since":{"lobby":3},"epoch":"e2"}"#;
        let hello = from_auth(auth, "token=other&room=news&device=other&epoch=e1").unwrap();
        assert_eq!(hello.epoch, Some(Epoch::from_raw("e2")));
        assert_eq!(hello.token, Some(Token::from_raw("mine")));
        assert_eq!(hello.device, Some(DeviceId::parse("phone").unwrap()));
        assert_eq!(hello.room.as_ref().unwrap().as_raw(), "news");
        assert_eq!(pairs(&hello), [("lobby", 3)]);
        for auth in ["null", "{}", r#"{"token":null}"#] {
            let hello = from_auth(auth, "epoch=e1").unwrap();
            assert_eq!(hello.token, Some(Token::from_raw("carried")));
            assert_eq!(hello.epoch, Some(Epoch::from_raw("e1")));
        }
    }

    #[test]
    fn an_unreadable_token_is_refused_unless_auth_has_one() {
        let bad = || Err(Rejection::Unauthorized);
        let refused = hello_from_auth(Space::root(), None, "", bad());
        assert_eq!(refused.map(drop), Err(Rejection::Unauthorized));
        assert!(hello_from_auth(Space::root(), Some(r#"{"token":"x"}"#), "", bad()).is_ok());
    }

    #[test]
    fn invalid_input_is_refused() {
        for query in [
            "since=lobby",
            "since=lobby:x",
            "since=a%00b:1",
            "since=lobby:1,b",
            "since=a%25ffb:1",
            "room=",
            "room=%ff",
            "device=",
            "epoch=",
            "epoch=a%20b",
            "room=a&room=a",
        ] {
            assert!(hello_from_query(Space::root(), query).is_err(), "{query}");
        }
        for auth in [
            "7",
            "[]",
            r#"{"token":7}"#,
            r#"{"since":{"lobby":-1}}"#,
            r#"{"since":7}"#,
            r#"{"device":""}"#,
            r#"{"epoch":7}"#,
            r#"{"epoch":"ü"}"#,
        ] {
            assert!(from_auth(auth, "").is_err(), "{auth}");
        }
        let Err(Rejection::Keys(wrong)) = from_auth(r#"{"token":7}"#, "") else { panic!("a text") };
        assert_eq!(wrong.to_string(), "`token` must be a text");
    }
}
