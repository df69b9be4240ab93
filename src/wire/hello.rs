//! What a connection says at the door, from its query or its Socket.IO `auth`.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::request::seq;
use crate::{
    chat::Hello,
    domain::{Rejection, RoomName, Seq, Space},
};

const BAD_SINCE: Rejection = Rejection::BadRequest("since is written room:seq,room:seq");

/// What a query says, for a connection to `space`. Unknown parameters are left alone.
pub fn hello_from_query(space: Space, query: &str) -> Result<Hello, Rejection> {
    let mut hello = Hello { space, token: None, room: None, since: Vec::new() };
    for (key, value) in parameters(query)? {
        match &*key {
            "token" => hello.token = Some(value),
            "room" => hello.room = Some(RoomName::parse(&value)?),
            "since" => hello.since = since_from_query(&value)?,
            _ => (),
        }
    }
    Ok(hello)
}

/// One parameter of a query, decoded.
pub(crate) fn parameter(query: &str, wanted: &str) -> Result<Option<String>, Rejection> {
    let mut found = parameters(query)?.into_iter().filter(|(key, _)| key == wanted);
    Ok(found.next_back().map(|(_, value)| value))
}

/// A query's parameters, decoded. `+` stands for a space, as forms write it.
fn parameters(query: &str) -> Result<Vec<(String, String)>, Rejection> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(key)?, decode(value)?))
        })
        .collect()
}

fn decode(text: &str) -> Result<String, Rejection> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(Into::into).map_err(|_error| Rejection::BadRequest("the query is not UTF-8"))
}

/// `lobby:41,news:7`.
fn since_from_query(text: &str) -> Result<Vec<(RoomName, Seq)>, Rejection> {
    let pairs = text.split(',').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (room, number) = pair.rsplit_once(':').ok_or(BAD_SINCE)?;
            let number: u64 = number.parse().map_err(|_error| BAD_SINCE)?;
            Ok((RoomName::parse(room)?, seq(number)?))
        })
        .collect()
}

/// The `auth` of a Socket.IO connection.
#[derive(Deserialize)]
struct Auth {
    token: Option<String>,
    room: Option<String>,
    since: Option<Since>,
}

/// `since` in `auth`: an object, or what a query would say.
#[derive(Deserialize)]
#[serde(untagged)]
enum Since {
    Object(BTreeMap<String, u64>),
    Text(String),
}

/// What an `auth` payload says. What it leaves out, the connection's query may say.
pub(super) fn hello_from_auth(
    space: Space,
    auth: Option<&str>,
    query: &str,
) -> Result<Hello, Rejection> {
    let mut hello = hello_from_query(space, query)?;
    let Some(auth) = auth.filter(|auth| *auth != "null") else { return Ok(hello) };
    super::json::check_depth(auth)?;
    let Auth { token, room, since } = serde_json::from_str(auth)
        .map_err(|_error| Rejection::BadRequest("auth is not of the documented form"))?;
    hello.token = token.or(hello.token);
    if let Some(room) = room {
        hello.room = Some(RoomName::parse(&room)?);
    }
    match since {
        None => (),
        Some(Since::Text(text)) => hello.since = since_from_query(&text)?,
        Some(Since::Object(rooms)) => {
            let pairs = rooms.iter();
            let pairs = pairs.map(|(room, number)| Ok((RoomName::parse(room)?, seq(*number)?)));
            hello.since = pairs.collect::<Result<_, Rejection>>()?;
        }
    }
    Ok(hello)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(hello: &Hello) -> Vec<(&str, u64)> {
        hello.since.iter().map(|(room, seq)| (room.as_raw(), seq.as_raw())).collect()
    }

    #[test]
    fn a_query_says_it_all() {
        let query = "token=a.b.c&room=news&since=lobby:41,a:b:7&x=1";
        let hello = hello_from_query(Space::root(), query).unwrap();
        assert_eq!(hello.token.as_deref(), Some("a.b.c"));
        assert_eq!(hello.room, Some(RoomName::parse("news").unwrap()));
        assert_eq!(pairs(&hello), [("lobby", 41), ("a:b", 7)]);
    }

    #[test]
    fn auth_goes_before_the_query() {
        let auth = r#"{"token":"mine","since":{"lobby":3}}"#;
        let query = "EIO=4&token=other&room=news";
        let hello = hello_from_auth(Space::root(), Some(auth), query).unwrap();
        assert_eq!(hello.token.as_deref(), Some("mine"));
        assert_eq!(hello.room.as_ref().unwrap().as_raw(), "news");
        assert_eq!(pairs(&hello), [("lobby", 3)]);
    }

    #[test]
    fn nonsense_is_refused() {
        for query in ["since=lobby", "since=lobby:x", "since=a b:1", "room=", "token=%ff"] {
            assert!(hello_from_query(Space::root(), query).is_err(), "{query}");
        }
        for auth in ["7", "[]", r#"{"token":7}"#, r#"{"since":{"lobby":-1}}"#, r#"{"since":7}"#] {
            assert!(hello_from_auth(Space::root(), Some(auth), "").is_err(), "{auth}");
        }
    }
}
