//! Refusals of a connection to a space, with `data` for the client.
//!
//! The engine writes `44{"message":"…"}` from a text alone, while the official server also sends
//! `data`. So the text is the whole object after a marker, and below the engine the object takes its
//! place in the packet. Clients of version 3 receive a text, or the data of a back end.

use serde::Deserialize;

use super::request::Version;
use crate::{domain::Rejection, wire::socketio as wire};

/// Before the object, in the text of an error. No message begins with it.
const MARKER: char = '\u{1}';

/// The text of an error for the engine.
pub(super) fn engine_text(version: Version, rejection: &Rejection) -> String {
    // The engine refuses most unknown spaces by itself, without data.
    if *rejection == Rejection::UnknownSpace {
        return wire::connect_error_message(rejection).to_owned();
    }
    let object = match version {
        Version::V3 => wire::connect_error_before_v4(rejection),
        Version::V4 => wire::connect_error(rejection),
    };
    format!("{MARKER}{object}")
}

/// The packet for the client in place of a packet of the engine, if it is another one.
pub(super) fn replacement(packet: &str) -> Option<String> {
    /// What the engine writes.
    #[derive(Deserialize)]
    struct EngineError {
        message: String,
    }
    let is_error = packet.starts_with("44") && packet.contains(r#"{"message":"\u0001"#);
    let begin = packet.find('{').filter(|_| is_error)?;
    let (head, object) = packet.split_at_checked(begin)?;
    let EngineError { message } = serde_json::from_str(object).ok()?;
    Some(format!("{head}{}", message.trim_start_matches(MARKER)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Refusal;

    fn engine_packet(namespace: &str, text: &str) -> String {
        format!("44{namespace}{{\"message\":{}}}", serde_json::to_string(text).unwrap())
    }

    #[test]
    fn the_object_takes_the_place_of_the_text() {
        let (code, message) = ("sold_out".into(), "It is \"gone\".".into());
        let refusal = Refusal { code, message, data: Some(r#"{"left":0}"#.into()) };
        let rejection = Rejection::Refused(Box::new(refusal));
        let text = engine_text(Version::V4, &rejection);
        let expected = r#"44/shop,{"message":"It is \"gone\".","data":{"left":0}}"#;
        assert_eq!(replacement(&engine_packet("/shop,", &text)).unwrap(), expected);
    }

    #[test]
    fn version_3_has_the_data_of_a_back_end_or_the_message() {
        let refused = |data: Option<&str>| {
            let (code, message) = ("sold_out".into(), "It is \"gone\".".into());
            let refusal = Refusal { code, message, data: data.map(Into::into) };
            let text = engine_text(Version::V3, &Rejection::Refused(Box::new(refusal)));
            replacement(&engine_packet("/shop,", &text)).unwrap()
        };
        assert_eq!(refused(None), r#"44/shop,"It is \"gone\".""#);
        assert_eq!(refused(Some(r#"{"left":0}"#)), r#"44/shop,{"left":0}"#);
        let unknown = engine_text(Version::V3, &Rejection::UnknownSpace);
        assert_eq!(replacement(&engine_packet("", &unknown)), None);
    }

    #[test]
    fn other_packets_stay_as_they_are() {
        for packet in
            ["40{\"sid\":\"x\"}", "2", "42[\"{\\\"message\\\":\\\"\\u0001\"]", "44", "44{"]
        {
            assert_eq!(replacement(packet), None, "{packet}");
        }
    }

    #[test]
    fn a_rejection_is_its_code_with_the_rest_as_data() {
        let packet = engine_packet("", &engine_text(Version::V4, &Rejection::TokenExpired));
        let expected = concat!(
            r#"44{"message":"token_expired","data":{"code":"token_expired","#,
            r#""message":"the token has expired"}}"#
        );
        assert_eq!(replacement(&packet).unwrap(), expected);
    }
}
