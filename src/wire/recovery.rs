//! Connection state recovery of Socket.IO clients: `pid` and `offset`, as the official server has them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::{
    payload,
    socketio::{self, Namespace, Packet},
};
use crate::{
    chat::event::Delivery,
    domain::{Body, Limits},
};

/// What the `auth` of a connection says about recovery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryAuth {
    /// The `pid` of the connection that the client had before.
    pub pid: Option<Box<str>>,
    /// The offset of the last event that it received.
    pub offset: Option<Box<str>>,
    /// Whether the client recovers with `since` instead.
    pub uses_since: bool,
}

impl RecoveryAuth {
    /// Reads the keys of `auth`. As with the official server, those of another type do not count.
    pub fn of_auth(auth: Option<&str>) -> Self {
        /// The keys.
        #[derive(Default, Deserialize)]
        struct Keys {
            pid: Option<Value>,
            offset: Option<Value>,
            since: Option<Value>,
        }
        let keys: Keys = auth.and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default();
        let text = |value: Option<Value>| match value {
            Some(Value::String(text)) => Some(text.into()),
            _ => None,
        };
        let Keys { pid, offset, since } = keys;
        Self { pid: text(pid), offset: text(offset), uses_since: since.is_some() }
    }

    /// The offset, if it is one of this server's.
    pub fn offset(&self) -> Option<u64> {
        let text = self.offset.as_deref()?;
        text.parse().ok().filter(|offset: &u64| offset.to_string() == text)
    }
}

/// Adds the offset as the last argument of an event, where clients look for it.
pub fn append_offset(packet: Packet, offset: u64) -> Packet {
    let Packet { text, attachments } = packet;
    let text = match text.strip_suffix(']') {
        Some(array) => format!("{array},\"{offset}\"]"),
        None => text,
    };
    Packet { text, attachments }
}

/// The name and the arguments of an event, as its clients receive them, without what depends on the
/// connection.
pub fn args(delivery: &Arc<Delivery>, limits: &Limits) -> Body {
    let Packet { text, attachments } = socketio::event(delivery, &Namespace::new("/"), limits);
    let (_head, args) = text.split_at(text.find('[').unwrap_or(text.len()));
    Body::from_raw(args.into(), attachments)
}

/// The answer to CONNECT with the ids `sid` and `pid`, in place of the one that the engine makes.
pub fn connect_answer(packet: &str, sid: &str, pid: &str) -> Option<String> {
    let (head, _object) = packet.split_at_checked(packet.rfind("{\"sid\":")?)?;
    Some(format!("{head}{{\"sid\":{},\"pid\":{}}}", payload::json(&sid), payload::json(&pid)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_another_type_do_not_count() {
        let auth = RecoveryAuth::of_auth(Some(r#"{"pid":"p","offset":"7","token":"t"}"#));
        let (pid, offset) = (Some("p".into()), Some("7".into()));
        assert_eq!(auth, RecoveryAuth { pid, offset, uses_since: false });
        for nothing in [r#"{"pid":7,"offset":["7"]}"#, "{}", "null", "7", "[", ""] {
            assert_eq!(RecoveryAuth::of_auth(Some(nothing)), RecoveryAuth::default(), "{nothing}");
        }
        assert!(RecoveryAuth::of_auth(Some(r#"{"since":{}}"#)).uses_since);
        assert_eq!(RecoveryAuth::of_auth(None), RecoveryAuth::default());
    }

    #[test]
    fn an_offset_is_the_last_argument() {
        for (text, expected) in [
            (r#"42["a"]"#, r#"42["a","18"]"#),
            (
                r#"451-/shop,["a",[],{"_placeholder":true,"num":0}]"#,
                r#"451-/shop,["a",[],{"_placeholder":true,"num":0},"18"]"#,
            ),
        ] {
            let packet = Packet { text: text.to_owned(), attachments: Vec::new() };
            assert_eq!(append_offset(packet, 18).text, expected);
        }
    }

    #[test]
    fn an_offset_is_read_as_it_was_written() {
        let offset =
            |text: &str| RecoveryAuth { offset: Some(text.into()), ..Default::default() }.offset();
        assert_eq!(offset("18"), Some(18));
        for other in ["", "x", "-1", "+1", "018", " 1", "99999999999999999999999"] {
            assert_eq!(offset(other), None, "{other}");
        }
    }

    #[test]
    fn the_answer_to_connect_has_both_ids() {
        for (packet, expected) in [
            (r#"40{"sid":"x"}"#, Some(r#"40{"sid":"s","pid":"p"}"#)),
            (r#"40/a{b,{"sid":"x"}"#, Some(r#"40/a{b,{"sid":"s","pid":"p"}"#)),
            ("40", None),
        ] {
            assert_eq!(connect_answer(packet, "s", "p").as_deref(), expected);
        }
    }
}
