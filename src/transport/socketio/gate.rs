//! What a request asks for, and the protocol's own refusals.
//!
//! The checks come in the order of the official server, so that its clients and its test suite see
//! what they know. Unlike there, a parameter that is given twice is refused.

use axum::body::Body;
use http::{HeaderValue, Method, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::json;
use socketioxide::socket::Sid;

use crate::{domain::Rejection, transport::upgrade::BadHandshake};

/// The Engine.IO protocol that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// Clients 1.x and 2.x.
    V3,
    /// Clients 3.x and 4.x.
    V4,
}

impl Version {
    /// The number that stands in the address.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::V3 => 3,
            Self::V4 => 4,
        }
    }
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// A new session that polls.
    Open(Version),
    /// A new session on a WebSocket.
    Connect(Version),
    /// What the server has to say.
    Poll(Sid),
    /// To hear what the client has to say.
    Post(Sid),
    /// To go on on a WebSocket.
    Upgrade(Sid),
}

/// Reads the address of a request.
pub(super) fn ask(method: &Method, query: &str) -> Result<Ask, Refusal> {
    let polls = match only(query, "transport=") {
        Only::Once("polling") => true,
        Only::Once("websocket") => false,
        _ => return Err(Refusal::TransportUnknown),
    };
    match only(query, "sid=") {
        Only::Once(sid) => {
            let sid: Sid = sid.parse().map_err(|_malformed| Refusal::SessionUnknown)?;
            match *method {
                Method::GET if polls => Ok(Ask::Poll(sid)),
                Method::POST if polls => Ok(Ask::Post(sid)),
                Method::GET => Ok(Ask::Upgrade(sid)),
                _ => Err(Refusal::BadRequest),
            }
        }
        Only::Never if method != Method::GET => Err(Refusal::BadHandshakeMethod),
        Only::Never => {
            let version = match only(query, "EIO=") {
                Only::Once("4") => Version::V4,
                Only::Once("3") => Version::V3,
                _ => return Err(Refusal::VersionUnsupported),
            };
            Ok(if polls { Ask::Open(version) } else { Ask::Connect(version) })
        }
        Only::Often => Err(Refusal::BadRequest),
    }
}

/// How often a parameter is given.
enum Only<'a> {
    Never,
    Once(&'a str),
    Often,
}

fn only<'a>(query: &'a str, name: &str) -> Only<'a> {
    let mut values = query.split('&').filter_map(|it| it.strip_prefix(name));
    match (values.next(), values.next()) {
        (None, _) => Only::Never,
        (Some(value), None) => Only::Once(value),
        (Some(_), Some(_)) => Only::Often,
    }
}

/// What is left of a query for the door: the engine's own parameters are taken out, and the token, which
/// is kept apart.
pub(super) fn own_words(query: &str) -> Box<str> {
    let engine = ["EIO=", "transport=", "sid=", "t=", "b64=", "j=", "token="];
    let ours = query.split('&').filter(|it| !engine.iter().any(|name| it.starts_with(name)));
    ours.collect::<Vec<_>>().join("&").into()
}

/// The protocol's own refusals, with the official server's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Neither polling nor WebSocket.
    TransportUnknown,
    /// No such session, or no longer.
    SessionUnknown,
    /// Sessions begin with GET.
    BadHandshakeMethod,
    /// Anything else that is wrong with the request.
    BadRequest,
    /// Neither 3 nor 4.
    VersionUnsupported,
    /// The body is larger than a frame may be.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// Another version of the WebSocket protocol than 13.
    WebSocketVersion,
    /// What the protocol has no number for.
    Ours(Rejection),
}

impl Refusal {
    /// What is wrong with a WebSocket handshake.
    pub(super) fn of_handshake(why: BadHandshake) -> Self {
        match why {
            BadHandshake::OtherVersion => Self::WebSocketVersion,
            BadHandshake::NotAnUpgrade | BadHandshake::BadKey => Self::BadRequest,
        }
    }

    /// What the engine means by its refusal. It writes the numbers as strings.
    pub(super) fn of_engine(body: &[u8]) -> Self {
        if body.windows(10).any(|it| it == br#""code":"1""#) {
            Self::SessionUnknown
        } else {
            Self::BadRequest
        }
    }

    /// The answer for the client.
    pub(super) fn into_response(self) -> Response<Body> {
        let upgrade_required = self == Self::WebSocketVersion;
        let (status, code, message) = match self {
            Self::TransportUnknown => (StatusCode::BAD_REQUEST, 0, "Transport unknown"),
            Self::SessionUnknown => (StatusCode::BAD_REQUEST, 1, "Session ID unknown"),
            Self::BadHandshakeMethod => (StatusCode::BAD_REQUEST, 2, "Bad handshake method"),
            Self::BadRequest => (StatusCode::BAD_REQUEST, 3, "Bad request"),
            Self::VersionUnsupported => {
                (StatusCode::BAD_REQUEST, 5, "Unsupported protocol version")
            }
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, 3, "Payload too large"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, 3, "Request timeout"),
            Self::WebSocketVersion => (StatusCode::UPGRADE_REQUIRED, 3, "Upgrade required"),
            Self::Ours(rejection) => return rejected(&rejection),
        };
        let mut response = json(status, &json!({ "code": code, "message": message }));
        if upgrade_required {
            let supported = HeaderValue::from_static("13");
            response.headers_mut().insert(http::header::SEC_WEBSOCKET_VERSION, supported);
        }
        response
    }
}

/// A refusal of ours, in the form that the other ways in use.
pub(super) fn rejected(rejection: &Rejection) -> Response<Body> {
    super::super::refusal::refusal(rejection)
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn json(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "AAAAAAAAAAAAAAHs";

    fn get(query: &str) -> Result<Ask, Refusal> {
        ask(&Method::GET, query)
    }

    #[test]
    fn a_good_address_is_understood() {
        let sid: Sid = SID.parse().unwrap();
        assert_eq!(get("EIO=4&transport=polling&t=x"), Ok(Ask::Open(Version::V4)));
        assert_eq!(get("EIO=3&transport=websocket"), Ok(Ask::Connect(Version::V3)));
        let here = format!("EIO=4&transport=polling&sid={SID}");
        assert_eq!(get(&here), Ok(Ask::Poll(sid)));
        assert_eq!(ask(&Method::POST, &here), Ok(Ask::Post(sid)));
        assert_eq!(get(&format!("transport=websocket&sid={SID}")), Ok(Ask::Upgrade(sid)));
    }

    #[test]
    fn a_bad_address_gets_the_official_refusal() {
        for (query, refusal) in [
            ("", Refusal::TransportUnknown),
            ("EIO=4", Refusal::TransportUnknown),
            ("EIO=4&transport=__proto__", Refusal::TransportUnknown),
            ("EIO=4&transport=constructor", Refusal::TransportUnknown),
            ("EIO=4&transport=polling&transport=polling", Refusal::TransportUnknown),
            ("transport=polling", Refusal::VersionUnsupported),
            ("EIO=99&transport=polling", Refusal::VersionUnsupported),
            ("EIO=4&EIO=4&transport=polling", Refusal::VersionUnsupported),
            ("EIO=4&transport=polling&sid=", Refusal::SessionUnknown),
            ("EIO=4&transport=polling&sid=../../etc/passwd", Refusal::SessionUnknown),
            ("EIO=4&transport=polling&sid=a&sid=b", Refusal::BadRequest),
        ] {
            assert_eq!(get(query), Err(refusal), "{query}");
        }
    }

    #[test]
    fn a_bad_method_gets_the_official_refusal() {
        let open = "EIO=4&transport=polling";
        assert_eq!(ask(&Method::POST, open), Err(Refusal::BadHandshakeMethod));
        let here = format!("EIO=4&transport=polling&sid={SID}");
        assert_eq!(ask(&Method::PUT, &here), Err(Refusal::BadRequest));
        let there = format!("EIO=4&transport=websocket&sid={SID}");
        assert_eq!(ask(&Method::POST, &there), Err(Refusal::BadRequest));
    }

    #[test]
    fn the_engines_own_parameters_do_not_reach_the_door() {
        let query = "token=abc&EIO=3&transport=polling&t=NxY&b64=1&room=a%20b";
        assert_eq!(&*own_words(query), "room=a%20b");
        assert_eq!(&*own_words("EIO=4&transport=websocket"), "");
    }
}
