//! `Sec-WebSocket-Extensions`: whether `permessage-deflate` is used (RFC 7692, section 7.1).
//!
//! The first offer that can be accepted is. Its answer always has both `no_context_takeover`.

use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};

use super::messages::WindowBits;
use crate::domain::WebSocketCompression;

/// The name of the extension.
const NAME: &str = "permessage-deflate";
/// The answer to an offer that does not limit the server's window.
const ANSWER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// What client and server agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::transport) struct Agreement {
    /// The window of the client.
    pub(in crate::transport) window_bits: WindowBits,
    /// The value of the answer.
    pub(in crate::transport) answer: HeaderValue,
}

/// Accepts an offer, if the setting permits it. `None` if there is none that can be.
pub(in crate::transport) fn negotiate(
    headers: &HeaderMap,
    setting: WebSocketCompression,
) -> Option<Agreement> {
    if setting == WebSocketCompression::Off {
        return None;
    }
    let values = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter().filter_map(|it| it.to_str().ok());
    values.flat_map(|value| value.split(',')).find_map(accept)
}

/// Accepts one offer. `None` declines another extension, an unknown or a repeated parameter, or a bad
/// value.
fn accept(offer: &str) -> Option<Agreement> {
    let mut parts = offer.split(';').map(trim);
    if parts.next()? != NAME {
        return None;
    }
    let (mut seen, mut limit) = (Vec::new(), None);
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (trim(name), Some(unquote(trim(value)))),
            None => (part, None),
        };
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        match (name, value) {
            (
                "server_no_context_takeover"
                | "client_no_context_takeover"
                | "client_max_window_bits",
                None,
            ) => {}
            ("client_max_window_bits", Some(value)) => {
                WindowBits::parse(value)?;
            }
            ("server_max_window_bits", Some(value)) => limit = Some(WindowBits::parse(value)?),
            _ => return None,
        }
    }
    Some(limit.map_or_else(Agreement::unlimited, Agreement::limited))
}

impl Agreement {
    fn unlimited() -> Self {
        Self { window_bits: WindowBits::MAX, answer: HeaderValue::from_static(ANSWER) }
    }

    fn limited(window_bits: WindowBits) -> Self {
        let answer = format!("{ANSWER}; server_max_window_bits={}", window_bits.get());
        Self { window_bits, answer: HeaderValue::try_from(answer).expect("it is plain text") }
    }
}

fn trim(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}

/// A value without quotation marks.
fn unquote(value: &str) -> &str {
    value.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parameters of the answer after the two that it always has.
    fn answer(offers: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for offer in offers {
            headers.append(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_str(offer).unwrap());
        }
        let Agreement { window_bits, answer } = negotiate(&headers, WebSocketCompression::On)?;
        let more = answer.to_str().unwrap().strip_prefix(ANSWER).unwrap().to_owned();
        assert_eq!(more.is_empty(), window_bits == WindowBits::MAX && !more.contains("15"));
        Some(more)
    }

    #[test]
    fn every_combination_of_parameters_is_accepted() {
        let choices = [
            ["", "; server_no_context_takeover"],
            ["", "; client_no_context_takeover"],
            ["", "; client_max_window_bits"],
            ["", "; client_max_window_bits=\"10\""],
        ];
        for combination in 0..16 {
            let chosen = choices.iter().enumerate().map(|(at, it)| it[combination >> at & 1]);
            let offer = format!("permessage-deflate{}", chosen.collect::<String>());
            let is_double = combination >= 0b1100;
            assert_eq!(answer(&[&offer]), (!is_double).then(String::new), "{offer}");
            let limited = answer(&[&format!("{offer}; server_max_window_bits=12")]);
            let expected = "; server_max_window_bits=12".to_owned();
            assert_eq!(limited, (!is_double).then_some(expected), "{offer}");
        }
    }

    #[test]
    fn other_offers_are_declined() {
        for offer in [
            "",
            "x-webkit-deflate-frame",
            "permessage-bzip2",
            "Permessage-Deflate",
            "permessage-deflate; unknown",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=08",
            "permessage-deflate; client_max_window_bits=0",
            "permessage-deflate;",
            "x=\"a, permessage-deflate\"",
        ] {
            assert_eq!(answer(&[offer]), None, "{offer}");
        }
    }

    #[test]
    fn nothing_is_accepted_where_it_is_off() {
        let mut headers = HeaderMap::new();
        headers.append(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(NAME));
        assert!(negotiate(&headers, WebSocketCompression::On).is_some());
        assert_eq!(negotiate(&headers, WebSocketCompression::Off), None);
    }

    #[test]
    fn the_first_good_offer_counts() {
        let good = "permessage-deflate;server_max_window_bits = 9";
        for offers in [
            &["x, permessage-deflate; unknown, permessage-deflate;server_max_window_bits=9"][..],
            &["permessage-deflate; server_max_window_bits=7", good],
            &["permessage-deflate;server_max_window_bits=9, permessage-deflate"],
        ] {
            assert_eq!(answer(offers).as_deref(), Some("; server_max_window_bits=9"), "{offers:?}");
        }
    }
}
