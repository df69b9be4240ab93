//! The server's side of the WebSocket handshake (RFC 6455, section 4.2), for both wires.
//!
//! Offers of extensions are read by [`deflate`](super::deflate).

use axum::body::Body;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{
        CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::deflate::Agreement;

/// Why a handshake cannot be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HandshakeError {
    /// The request is not for a WebSocket.
    NotAnUpgrade,
    /// The version is not 13.
    UnsupportedVersion,
    /// The key is not 16 bytes in base64.
    InvalidKey,
}

/// Checks a client's handshake, and returns the value of `Sec-WebSocket-Accept`.
pub(super) fn accept<B>(request: &Request<B>) -> Result<HeaderValue, HandshakeError> {
    if request.method() != Method::GET || request.version() != Version::HTTP_11 {
        return Err(HandshakeError::NotAnUpgrade);
    }
    let headers = request.headers();
    if !has_value(headers, &CONNECTION, "upgrade") || !has_value(headers, &UPGRADE, "websocket") {
        return Err(HandshakeError::NotAnUpgrade);
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|it| it != "13") {
        return Err(HandshakeError::UnsupportedVersion);
    }
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(HandshakeError::InvalidKey);
    };
    match BASE64_STANDARD.decode(key) {
        Ok(nonce) if nonce.len() == 16 => {
            let accept = derive_accept_key(key.as_bytes());
            HeaderValue::try_from(accept).map_err(|_not_base64| HandshakeError::InvalidKey)
        }
        _ => Err(HandshakeError::InvalidKey),
    }
}

/// Whether a request asks for a WebSocket, and not for another protocol as some clients do with each
/// request.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    has_value(headers, &UPGRADE, "websocket")
}

/// The answer that ends HTTP on the connection, with the chosen subprotocol and the extension.
pub(super) fn switching_protocols_response(
    accept: HeaderValue,
    chosen: Option<HeaderValue>,
    agreement: Option<Agreement>,
) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(chosen) = chosen {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, chosen);
    }
    if let Some(Agreement { answer, .. }) = agreement {
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, answer);
    }
    response
}

/// Whether one of the comma-separated values of a header is `word`.
fn has_value(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|it| it.to_str().ok());
    values.flat_map(|it| it.split(',')).any(|it| it.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(changes: &[(&'static str, &'static str)]) -> Request<()> {
        let good = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let mut request = Request::new(());
        for (name, value) in good.iter().chain(changes) {
            request.headers_mut().insert(*name, HeaderValue::from_static(value));
        }
        request
    }

    #[test]
    fn the_example_of_the_rfc_gets_its_accept_key() {
        assert_eq!(accept(&request(&[])).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn other_offers_are_ignored() {
        let offers = [
            ("sec-websocket-protocol", ",,;;\u{9}, x"),
            ("sec-websocket-extensions", "constructor; __proto__"),
        ];
        assert!(accept(&request(&offers)).is_ok());
    }

    #[test]
    fn a_broken_handshake_is_refused() {
        for (name, value, why) in [
            ("connection", "keep-alive", HandshakeError::NotAnUpgrade),
            ("upgrade", "h2c", HandshakeError::NotAnUpgrade),
            ("sec-websocket-version", "8", HandshakeError::UnsupportedVersion),
            ("sec-websocket-key", "", HandshakeError::InvalidKey),
            ("sec-websocket-key", "c2hvcnQ=", HandshakeError::InvalidKey),
            ("sec-websocket-key", "not base64 at all", HandshakeError::InvalidKey),
        ] {
            assert_eq!(accept(&request(&[(name, value)])), Err(why), "{name}: {value}");
        }
        for method in [Method::HEAD, Method::POST] {
            let mut other = request(&[]);
            *other.method_mut() = method;
            assert_eq!(accept(&other), Err(HandshakeError::NotAnUpgrade));
        }
        let mut old = request(&[]);
        *old.version_mut() = Version::HTTP_10;
        assert_eq!(accept(&old), Err(HandshakeError::NotAnUpgrade));
    }
}
