//! The Engine.IO requests, and the rejections that the protocol defines.
//!
//! The checks have the order of the official server, so its clients and test suites receive the
//! expected errors. Unlike there, a repeated parameter is refused.

use axum::body::Body;
use http::{HeaderValue, Method, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::json;
use socketioxide::socket::Sid;

use crate::{
    domain::{CloseReason, Rejection},
    transport::upgrade::HandshakeError,
    wire::code::{self, CloseRow},
};

/// The version of the Engine.IO protocol that a client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// Clients 1.x and 2.x.
    V3,
    /// Clients 3.x and 4.x.
    V4,
}

impl Version {
    /// The number in the query.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::V3 => 3,
            Self::V4 => 4,
        }
    }

    /// The type of the heartbeats that only the server sends: pongs in version 3, pings in version 4.
    pub(super) fn server_heartbeat(self) -> u8 {
        match self {
            Self::V3 => b'3',
            Self::V4 => b'2',
        }
    }
}

/// The parser of a client's packets. Its path tells which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parser {
    /// The default one.
    Json,
    /// `socket.io-msgpack-parser`.
    MsgPack,
}

impl Parser {
    /// The path of clients with this parser.
    pub(super) fn route(self) -> &'static str {
        match self {
            Self::Json => "/socket.io/",
            Self::MsgPack => "/socket.io-msgpack/",
        }
    }

    /// The parser of clients at this path, with its last slash or without.
    pub(super) fn of_path(path: &str) -> Option<Self> {
        let is_at = |it: &Self| path == it.route() || Some(path) == it.route().strip_suffix('/');
        [Self::Json, Self::MsgPack].into_iter().find(is_at)
    }
}

/// A parsed request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EngineRequest {
    /// Opens a session that polls.
    Open(Version),
    /// Opens a session on a WebSocket.
    Connect(Version),
    /// Waits for packets from the server.
    Poll(SessionKey),
    /// Brings packets from the client.
    Post(SessionKey),
    /// Upgrades a session to a WebSocket.
    Upgrade(SessionKey),
}

/// What a request says of its session: its id, and the parser and the version with which it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SessionKey {
    pub(super) sid: Sid,
    pub(super) version: Version,
    pub(super) parser: Parser,
}

/// Parses the method and the query of a request of a client with this parser.
pub(super) fn parse_request(
    parser: Parser,
    method: &Method,
    query: &str,
) -> Result<EngineRequest, EngineRejection> {
    let polls = match find_parameter(query, "transport=") {
        // JSONP: its clients run the answer as a script, and a page of any origin may do so.
        QueryParameter::Single("polling") if query.split('&').any(|it| it.starts_with("j=")) => {
            return Err(EngineRejection::TransportUnknown);
        }
        QueryParameter::Single("polling") => true,
        QueryParameter::Single("websocket") => false,
        _ => return Err(EngineRejection::TransportUnknown),
    };
    match find_parameter(query, "sid=") {
        QueryParameter::Single(sid) => {
            let sid: Sid = sid.parse().map_err(|_malformed| EngineRejection::SessionUnknown)?;
            // As for the official server, the version is 3 where none is named.
            let is_v4 = matches!(find_parameter(query, "EIO="), QueryParameter::Single("4"));
            let version = if is_v4 { Version::V4 } else { Version::V3 };
            let key = SessionKey { sid, version, parser };
            match *method {
                Method::GET if polls => Ok(EngineRequest::Poll(key)),
                Method::POST if polls => Ok(EngineRequest::Post(key)),
                Method::GET => Ok(EngineRequest::Upgrade(key)),
                _ => Err(EngineRejection::BadRequest),
            }
        }
        QueryParameter::Missing if method != Method::GET => {
            Err(EngineRejection::BadHandshakeMethod)
        }
        QueryParameter::Missing => {
            let version = match find_parameter(query, "EIO=") {
                QueryParameter::Single("4") => Version::V4,
                // `socket.io-msgpack-parser` before its version 3 has packets of another form.
                QueryParameter::Single("3") if parser == Parser::Json => Version::V3,
                _ => return Err(EngineRejection::VersionUnsupported),
            };
            Ok(if polls { EngineRequest::Open(version) } else { EngineRequest::Connect(version) })
        }
        QueryParameter::Repeated => Err(EngineRejection::BadRequest),
    }
}

/// The occurrences of a parameter.
enum QueryParameter<'a> {
    Missing,
    Single(&'a str),
    Repeated,
}

fn find_parameter<'a>(query: &'a str, name: &str) -> QueryParameter<'a> {
    let mut values = query.split('&').filter_map(|it| it.strip_prefix(name));
    match (values.next(), values.next()) {
        (None, _) => QueryParameter::Missing,
        (Some(value), None) => QueryParameter::Single(value),
        (Some(_), Some(_)) => QueryParameter::Repeated,
    }
}

/// The parameters of a query for the chat: without those of the engine, and without the token, which is
/// read separately.
pub(super) fn application_query(query: &str) -> Box<str> {
    let engine = ["EIO=", "transport=", "sid=", "t=", "b64=", "j=", "token="];
    let ours = query.split('&').filter(|it| !engine.iter().any(|name| it.starts_with(name)));
    ours.collect::<Vec<_>>().join("&").into()
}

/// The rejections that the protocol defines, with the numbers of the official server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EngineRejection {
    /// The transport is neither polling nor WebSocket.
    TransportUnknown,
    /// The session does not exist, or has ended.
    SessionUnknown,
    /// A session begins with a method other than GET.
    BadHandshakeMethod,
    /// Any other error in the request.
    BadRequest,
    /// The version is neither 3 nor 4.
    VersionUnsupported,
    /// The body exceeds the limit for a frame, in bytes.
    TooLarge { limit: usize },
    /// The payload has more packets than may wait.
    TooManyPackets,
    /// The body did not arrive in time.
    TooSlow,
    /// The version of the WebSocket protocol is not 13.
    WebSocketVersion,
    /// A rejection without a number in the protocol.
    Rejected(Rejection),
}

impl EngineRejection {
    /// The rejection of an invalid WebSocket handshake.
    pub(super) fn from_handshake_error(error: HandshakeError) -> Self {
        match error {
            HandshakeError::UnsupportedVersion => Self::WebSocketVersion,
            HandshakeError::NotAnUpgrade | HandshakeError::InvalidKey => Self::BadRequest,
        }
    }

    /// The rejection in an error response of the engine, which writes the numbers as strings.
    pub(super) fn from_engine_response(body: &[u8]) -> Self {
        if body.windows(10).any(|it| it == br#""code":"1""#) {
            Self::SessionUnknown
        } else {
            Self::BadRequest
        }
    }

    /// The response to the client.
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
            Self::TooLarge { limit } => return too_large_response(limit),
            Self::TooManyPackets => (StatusCode::PAYLOAD_TOO_LARGE, 3, "Payload too large"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, 3, "Request timeout"),
            Self::WebSocketVersion => (StatusCode::UPGRADE_REQUIRED, 3, "Upgrade required"),
            Self::Rejected(rejection) => return rejection_response(&rejection),
        };
        let mut response = json_response(status, &json!({ "code": code, "message": message }));
        if upgrade_required {
            let supported = HeaderValue::from_static("13");
            response.headers_mut().insert(http::header::SEC_WEBSOCKET_VERSION, supported);
        }
        response
    }
}

/// The response for a rejection, in the form that all transports use.
pub(super) fn rejection_response(rejection: &Rejection) -> Response<Body> {
    super::super::rejection::rejection_response(rejection)
}

/// The response to a body above `limit`, with the code of `closing`.
fn too_large_response(limit: usize) -> Response<Body> {
    let CloseRow { code, .. } = code::close(CloseReason::FrameTooLarge { limit });
    let message = "the payload is too large";
    let body = json!({ "code": code, "message": message, "limit": limit });
    json_response(StatusCode::PAYLOAD_TOO_LARGE, &body)
}

fn json_response(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "AAAAAAAAAAAAAAHs";

    fn get(query: &str) -> Result<EngineRequest, EngineRejection> {
        parse_request(Parser::Json, &Method::GET, query)
    }

    #[test]
    fn a_valid_query_is_parsed() {
        let sid: Sid = SID.parse().unwrap();
        assert_eq!(get("EIO=4&transport=polling&t=x"), Ok(EngineRequest::Open(Version::V4)));
        assert_eq!(get("EIO=3&transport=websocket"), Ok(EngineRequest::Connect(Version::V3)));
        let here = format!("EIO=4&transport=polling&sid={SID}");
        let key = SessionKey { sid, version: Version::V4, parser: Parser::Json };
        assert_eq!(get(&here), Ok(EngineRequest::Poll(key)));
        assert_eq!(parse_request(Parser::Json, &Method::POST, &here), Ok(EngineRequest::Post(key)));
        let key = SessionKey { sid, version: Version::V3, parser: Parser::Json };
        for eio in ["", "EIO=3&", "EIO=5&"] {
            let query = format!("{eio}transport=websocket&sid={SID}");
            assert_eq!(get(&query), Ok(EngineRequest::Upgrade(key)), "{query}");
        }
    }

    #[test]
    fn an_invalid_query_gets_the_official_error() {
        for (query, rejection) in [
            ("", EngineRejection::TransportUnknown),
            ("EIO=4", EngineRejection::TransportUnknown),
            ("EIO=3&transport=polling&j=0", EngineRejection::TransportUnknown),
            ("EIO=4&transport=__proto__", EngineRejection::TransportUnknown),
            ("EIO=4&transport=constructor", EngineRejection::TransportUnknown),
            ("EIO=4&transport=polling&transport=polling", EngineRejection::TransportUnknown),
            ("transport=polling", EngineRejection::VersionUnsupported),
            ("EIO=99&transport=polling", EngineRejection::VersionUnsupported),
            ("EIO=4&EIO=4&transport=polling", EngineRejection::VersionUnsupported),
            ("EIO=4&transport=polling&sid=", EngineRejection::SessionUnknown),
            ("EIO=4&transport=polling&sid=../../etc/passwd", EngineRejection::SessionUnknown),
            ("EIO=4&transport=polling&sid=a&sid=b", EngineRejection::BadRequest),
        ] {
            assert_eq!(get(query), Err(rejection), "{query}");
        }
    }

    #[test]
    fn a_wrong_method_gets_the_official_error() {
        let open = "EIO=4&transport=polling";
        assert_eq!(
            parse_request(Parser::Json, &Method::POST, open),
            Err(EngineRejection::BadHandshakeMethod)
        );
        let here = format!("EIO=4&transport=polling&sid={SID}");
        assert_eq!(
            parse_request(Parser::Json, &Method::PUT, &here),
            Err(EngineRejection::BadRequest)
        );
        let there = format!("EIO=4&transport=websocket&sid={SID}");
        assert_eq!(
            parse_request(Parser::Json, &Method::POST, &there),
            Err(EngineRejection::BadRequest)
        );
    }

    #[test]
    fn engine_parameters_are_removed_from_the_query() {
        let query = "token=abc&EIO=3&transport=polling&t=NxY&b64=1&room=a%20b";
        assert_eq!(&*application_query(query), "room=a%20b");
        assert_eq!(&*application_query("EIO=4&transport=websocket"), "");
    }
}
