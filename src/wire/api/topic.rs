//! The topic of a room: the path, the query and the body.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{member::request, text};
use crate::{
    chat::{ApiRequest, ports::Action},
    domain::RoomTopic,
    wire::{
        action::{room_name, user_name},
        invalid_data::{InvalidData, object},
    },
};

/// A topic, as [`put_topic`] reads it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TopicData {
    /// Empty: the room has none any more.
    #[schema(format = "room-topic", max_length = 250)]
    topic: String,
    /// In whose name.
    #[schema(format = "user-name", min_length = 1)]
    user: String,
}

/// Parses a request to set or to remove the topic of a room: `{topic, user}`.
pub fn put_topic(room: &str, query: &str, body: &[u8]) -> Result<ApiRequest, InvalidData> {
    let TopicData { topic, user } = object(&text(body)?)?;
    let topic =
        RoomTopic::parse(&topic).map_err(|rejection| InvalidData::new(rejection.to_string()))?;
    request(query, Action::Topic { user: user_name(&user)?, room: room_name(room)?, topic })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_set_or_removed_in_the_name_of_a_user() {
        for (body, expected) in [
            (r#"{"topic":" Plans ","user":"ann"}"#, Some("Plans")),
            (r#"{"user":"ann","topic":""}"#, None),
        ] {
            let request = put_topic("news", "space=/shop", body.as_bytes()).unwrap();
            assert_eq!(request.space.as_raw(), "/shop");
            let [Action::Topic { user, room, topic }] = &request.actions[..] else {
                panic!("{request:?}")
            };
            assert_eq!((user.as_raw(), room.as_raw()), ("ann", "news"));
            assert_eq!(topic.as_ref().map(RoomTopic::as_raw), expected);
        }
    }

    #[test]
    fn other_requests_are_refused_with_the_reason() {
        for (room, query, body, why) in [
            ("", "", r#"{"topic":"a","user":"ann"}"#, "a room name"),
            ("news", "after=x", r#"{"topic":"a","user":"ann"}"#, "there is no key `after`"),
            ("news", "", "", "not an object with keys of `topic`, `user`"),
            ("news", "", r#"{"topic":7,"user":"ann"}"#, "`topic` must be a text"),
            ("news", "", r#"{"topic":"a"}"#, "the key `user` is missing"),
            ("news", "", r#"{"user":"ann"}"#, "the key `topic` is missing"),
            ("news", "", r#"{"topic":"a","user":""}"#, "a name has"),
            ("news", "", r#"{"topic":"a\nb","user":"ann"}"#, "one line"),
            ("news", "", r#"{"topic":"a","user":"ann","by":"x"}"#, "there is no key `by`"),
        ] {
            let reason = put_topic(room, query, body.as_bytes()).unwrap_err().to_string();
            assert!(reason.contains(why), "{reason}");
        }
    }
}
