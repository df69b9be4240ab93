//! `Sec-WebSocket-Protocol`: the format of the frames, and the token that it may carry.

use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_PROTOCOL};

use crate::domain::{Rejection, Token};

/// The protocol of docs/protocol.md in JSON text frames.
pub(super) const JSON: &str = "roomcast.json";

/// The same in binary frames.
pub(super) const MSGPACK: &str = "roomcast.msgpack";

/// Marks the next value as a token, because pages cannot set other headers of a WebSocket
/// handshake.
const BEARER: &str = "roomcast.bearer";

/// The known part of what a client offers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Offer {
    /// The value for the answer: the first known format, otherwise the mark of a token.
    pub(super) chosen: Option<HeaderValue>,
    /// The token, or an error if the mark is not followed by one.
    pub(super) token: Option<Result<Token, Rejection>>,
}

impl Offer {
    /// Reads the offer of a handshake for a route that supports `formats`. Without an offer nothing
    /// is chosen. An offer of unknown formats only is refused.
    pub(super) fn read(headers: &HeaderMap, formats: &[&'static str]) -> Result<Self, Rejection> {
        let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        let values: Result<Vec<_>, _> = values.map(HeaderValue::to_str).collect();
        let values =
            values.map_err(|_error| Rejection::BadRequest("a subprotocol is plain text"))?;
        let offered = values.iter().flat_map(|value| value.split(','));
        let mut offered =
            offered.map(|it| it.trim_matches([' ', '\t'])).filter(|it| !it.is_empty());
        let (mut format, mut token, mut empty) = (None, None, true);
        while let Some(name) = offered.next() {
            empty = false;
            if name == BEARER {
                let next = offered.next().map(Token::from_raw);
                // Two tokens are ambiguous.
                let first = token.is_none().then_some(next).flatten();
                token = Some(first.ok_or(Rejection::Unauthorized));
            } else if format.is_none() {
                format = formats.iter().find(|known| **known == name).copied();
            }
        }
        let chosen = format.or(token.is_some().then_some(BEARER));
        if chosen.is_none() && !empty {
            return Err(Rejection::BadRequest("none of these subprotocols is spoken here"));
        }
        Ok(Self { chosen: chosen.map(HeaderValue::from_static), token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Offer, Rejection> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(value).unwrap());
        }
        Offer::read(&headers, &[JSON, MSGPACK])
    }

    fn chosen(values: &[&str]) -> Option<String> {
        let offer = read(values).unwrap();
        offer.chosen.map(|it| it.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_known_format_is_chosen_and_echoed() {
        assert_eq!(chosen(&[]), None);
        assert_eq!(chosen(&["", ",, \t,"]), None, "that is nothing");
        assert_eq!(chosen(&["roomcast.json"]).as_deref(), Some(JSON));
        assert_eq!(chosen(&["chat, roomcast.json"]).as_deref(), Some(JSON));
        assert_eq!(chosen(&["chat", "roomcast.json"]).as_deref(), Some(JSON));
        assert_eq!(chosen(&["roomcast.msgpack"]).as_deref(), Some(MSGPACK));
    }

    #[test]
    fn the_first_format_that_is_offered_is_chosen() {
        let both = chosen(&["roomcast.msgpack, roomcast.json"]);
        assert_eq!(both.as_deref(), Some(MSGPACK));
        let both = chosen(&["roomcast.json", "roomcast.msgpack"]);
        assert_eq!(both.as_deref(), Some(JSON));
        let all = chosen(&["roomcast.bearer, a.b.c, roomcast.msgpack, roomcast.json"]);
        assert_eq!(all.as_deref(), Some(MSGPACK));
    }

    #[test]
    fn a_token_follows_the_bearer_subprotocol() {
        let offer = read(&["roomcast.bearer, a.b.c"]).unwrap();
        assert_eq!(offer.token, Some(Ok(Token::from_raw("a.b.c"))));
        assert_eq!(offer.chosen.unwrap(), BEARER);
        let both = read(&["roomcast.bearer, a.b.c, roomcast.json"]).unwrap();
        assert_eq!(both.chosen.unwrap(), JSON);
        assert!(both.token.is_some());
        for bad in ["roomcast.bearer", "roomcast.bearer, a, roomcast.bearer, b"] {
            assert_eq!(read(&[bad]).unwrap().token, Some(Err(Rejection::Unauthorized)), "{bad}");
        }
    }

    #[test]
    fn unknown_subprotocols_are_refused() {
        for bad in ["chat", "ROOMCAST.JSON", "roomcast.json2", "msgpack", "b\tx", "x;y"] {
            assert!(matches!(read(&[bad]), Err(Rejection::BadRequest(_))), "{bad}");
        }
        let long = format!("b{}x", " ".repeat(32_000));
        assert!(matches!(read(&[&long]), Err(Rejection::BadRequest(_))));
    }
}
