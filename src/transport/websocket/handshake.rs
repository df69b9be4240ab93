//! What a handshake asks for: the room, the format, and who connects.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};

use super::{format::Format, translator::Translator};
use crate::{
    chat::Hello,
    domain::{Rejection, RoomName, Space, Token},
    transport::subprotocol::{self, Offer},
    wire::{
        PathRule, dialect, dialect::DialectId, dialect_hello_from_query, hello_from_query,
        parameter, percent_decode,
    },
};

/// See the module.
#[derive(Debug)]
pub(super) struct Handshake {
    /// All but the token.
    pub(super) hello: Hello,
    /// The token, or an error if it cannot be read.
    pub(super) token: Result<Option<Token>, Rejection>,
    /// The format of the frames.
    pub(super) format: Format,
    /// The subprotocol of the answer.
    pub(super) chosen: Option<HeaderValue>,
}

/// Reads path, query and headers of a handshake. `rule` is that of the path, if there is one. The
/// token is read by the caller.
pub(super) fn read(
    (path, query): (&str, &str),
    headers: &HeaderMap,
    rule: Option<&PathRule>,
) -> Result<(Handshake, Offer), Rejection> {
    let named = dialect_of(query, rule)?;
    let offer = Offer::read(headers, &subprotocols(named))?;
    let chosen = offer.chosen.clone();
    let offered = chosen.as_ref().and_then(|it| DialectId::named(it.to_str().ok()?));
    let dialect = named.or(offered);
    let space = parameter(query, "space")?.map(|it| Space::parse(&it)).transpose()?;
    let space = space.unwrap_or_else(Space::root);
    let mut hello = match dialect {
        None => hello_from_query(space, query)?,
        Some(_) => dialect_hello_from_query(space, query)?,
    };
    let room = match rule {
        Some(rule) => rule.room(path, query)?,
        None => room_of_path(path)?,
    };
    if let Some(room) = room {
        if hello.room.as_ref().is_some_and(|other| *other != room) {
            return Err(Rejection::BadRequest("path and query name different rooms"));
        }
        hello.room = Some(room);
    }
    let format = match dialect {
        None => Format::of(chosen.as_ref()),
        Some(dialect) => {
            let room = hello.room.clone().unwrap_or_else(RoomName::lobby);
            let translator = Translator::start(dialect, &dialect::Handshake { room, query })?;
            Format::Dialect(Arc::new(translator))
        }
    };
    Ok((Handshake { hello, token: Ok(None), format, chosen }, offer))
}

/// The dialect of the path, or the one that the query names.
fn dialect_of(query: &str, rule: Option<&PathRule>) -> Result<Option<DialectId>, Rejection> {
    let of_path = rule.and_then(PathRule::dialect);
    let Some(name) = parameter(query, "dialect")? else { return Ok(of_path) };
    let of_query = DialectId::named(&name);
    let of_query = of_query.ok_or(Rejection::BadRequest("there is no dialect of this name"))?;
    if of_path.is_some_and(|it| it != of_query) {
        return Err(Rejection::BadRequest("path and query name different dialects"));
    }
    Ok(Some(of_query))
}

/// The subprotocols that the client may offer: that of its dialect alone, once that is known.
fn subprotocols(dialect: Option<DialectId>) -> Vec<&'static str> {
    if let Some(dialect) = dialect {
        return vec![dialect.name()];
    }
    let own = [subprotocol::JSON, subprotocol::MSGPACK];
    own.into_iter().chain(DialectId::all().map(DialectId::name)).collect()
}

/// The room in `/ws/{room}`. A last slash, as some proxies and clients add it, changes nothing.
fn room_of_path(path: &str) -> Result<Option<RoomName>, Rejection> {
    let Some(room) = path.strip_prefix("/ws/").filter(|room| !room.is_empty()) else {
        return Ok(None);
    };
    let room = room.strip_suffix('/').unwrap_or(room);
    RoomName::parse(&percent_decode(room).ok_or(Rejection::RoomInvalid)?).map(Some)
}

#[cfg(test)]
mod tests {
    use http::header::SEC_WEBSOCKET_PROTOCOL;

    use super::*;

    fn read_with(
        (path, query): (&str, &str),
        offer: &'static str,
        rule: Option<&PathRule>,
    ) -> Result<Handshake, Rejection> {
        let mut headers = HeaderMap::new();
        if !offer.is_empty() {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(offer));
        }
        read((path, query), &headers, rule).map(|(handshake, _)| handshake)
    }

    /// The format as it prints, the room, and the answered subprotocol.
    fn summary(handshake: Handshake) -> (String, Option<String>, Option<String>) {
        let Handshake { hello, format, chosen, .. } = handshake;
        let room = hello.room.map(|it| it.as_raw().to_owned());
        (format!("{format:?}"), room, chosen.map(|it| it.to_str().unwrap().to_owned()))
    }

    #[test]
    fn subprotocol_query_and_path_choose_a_dialect() {
        let rule = PathRule::parse("/chat/{room}", Some("hello"), None).unwrap();
        let hello = "Dialect(Translator(\"hello\"))";
        let echo = "Dialect(Translator(\"echo-protocol\"))";
        for (address, offer, rule, expected) in [
            (("/ws", ""), "", None, ("Json", None, None)),
            (("/ws", ""), "roomcast.json, hello", None, ("Json", None, Some("roomcast.json"))),
            (("/ws/a", ""), "echo-protocol", None, (echo, Some("a"), Some("echo-protocol"))),
            (("/ws", "dialect=hello&room=b"), "", None, (hello, Some("b"), None)),
            (("/ws", "dialect=hello"), "hello", None, (hello, None, Some("hello"))),
            (("/chat/c", "since=x"), "", Some(&rule), (hello, Some("c"), None)),
            (("/chat/c", "dialect=hello&room=c"), "", Some(&rule), (hello, Some("c"), None)),
        ] {
            let (format, room, chosen) = summary(read_with(address, offer, rule).unwrap());
            let found = (&*format, room.as_deref(), chosen.as_deref());
            assert_eq!(found, expected, "{address:?} {offer}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let rule = PathRule::parse("/chat", Some("hello"), Some("a")).unwrap();
        for (address, offer, rule) in [
            (("/ws", "dialect=nothing"), "", None),
            (("/ws", "dialect=hello"), "json", None),
            (("/ws", "dialect=hello"), "roomcast.json", None),
            (("/ws", "dialect=hello&dialect=hello"), "", None),
            (("/ws", "dialect=hello&binary=2"), "", None),
            (("/chat", "dialect=json"), "", Some(&rule)),
            (("/chat", "room=b"), "", Some(&rule)),
            (("/ws/a", "room=b"), "", None),
        ] {
            let refused = read_with(address, offer, rule).map(summary);
            assert!(matches!(refused, Err(Rejection::BadRequest(_))), "{address:?} {offer}");
        }
    }
}
