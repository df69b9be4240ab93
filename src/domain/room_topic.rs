//! Topics of rooms: one line of text that says what a room is about.

use std::{fmt, sync::Arc};

use super::Rejection;

/// Longest topic in characters.
const TOPIC_CHARS_MAX: usize = 250;

const INVALID: Rejection =
    Rejection::BadRequest("a topic is one line of 1 to 250 characters without control characters");

/// The topic of a room: one line of 1 to 250 characters. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoomTopic(Arc<str>);

impl RoomTopic {
    /// Accepts one line of up to 250 characters, without the white space around it. `None` if nothing
    /// is left: the room has no topic then.
    pub fn parse(raw: &str) -> Result<Option<Self>, Rejection> {
        let text = raw.trim();
        if text.chars().nth(TOPIC_CHARS_MAX).is_some() || text.chars().any(is_control) {
            return Err(INVALID);
        }
        Ok(Self::from_raw(text))
    }

    /// A topic that was parsed before it was stored. The empty text is none.
    pub fn from_raw(raw: &str) -> Option<Self> {
        (!raw.is_empty()).then(|| Self(raw.into()))
    }

    /// The text on the wire and in the store.
    pub fn as_raw(&self) -> &str {
        &self.0
    }

    /// The text of a topic; the empty one where there is none.
    pub fn text(topic: Option<&Self>) -> &str {
        topic.map_or("", Self::as_raw)
    }
}

impl fmt::Display for RoomTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `c` is a control character, a line break of Unicode, or sets the direction of what follows.
fn is_control(c: char) -> bool {
    let is_direction = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || is_direction
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(raw: &str) -> Option<String> {
        RoomTopic::parse(raw).unwrap().map(|it| it.to_string())
    }

    #[test]
    fn a_topic_is_trimmed_and_an_empty_one_is_none() {
        assert_eq!(parsed("  Plans for May \n"), Some("Plans for May".to_owned()));
        assert_eq!(parsed("שלום عالم 👩🏽‍🚀"), Some("שלום عالم 👩🏽‍🚀".to_owned()));
        for empty in ["", " ", "\t\r\n"] {
            assert_eq!(parsed(empty), None, "{empty:?}");
        }
    }

    #[test]
    fn a_topic_has_at_most_250_characters() {
        assert_eq!(parsed(&"é".repeat(250)), Some("é".repeat(250)));
        assert_eq!(parsed(&format!(" {} ", "é".repeat(250))), Some("é".repeat(250)));
        assert_eq!(RoomTopic::parse(&"é".repeat(251)), Err(INVALID));
    }

    #[test]
    fn a_topic_is_one_line_without_control_characters() {
        for c in ['\n', '\r', '\t', '\0', '\u{7f}', '\u{85}', '\u{2028}', '\u{202e}', '\u{2066}'] {
            assert_eq!(RoomTopic::parse(&format!("a{c}b")), Err(INVALID), "{c:?}");
        }
    }

    proptest! {
        #[test]
        fn a_parsed_topic_is_parsed_as_itself(raw in any::<String>()) {
            if let Ok(topic) = RoomTopic::parse(&raw) {
                let text = RoomTopic::text(topic.as_ref()).to_owned();
                prop_assert!(text.chars().count() <= TOPIC_CHARS_MAX && text.trim() == text);
                prop_assert!(!text.chars().any(char::is_control));
                prop_assert_eq!(RoomTopic::from_raw(&text), topic.clone());
                prop_assert_eq!(RoomTopic::parse(&text), Ok(topic));
            }
        }
    }
}
