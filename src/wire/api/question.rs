//! Questions: queries of `GET`, and a body where a query has no room for it.

use serde::Deserialize;
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema, schema::ArrayBuilder},
};

use super::{
    query::{Parameter, ParameterType, Query, SPACE, parameter},
    text,
};
use crate::{
    chat::{ApiQuestion, ApiTopic, ports::PageRange},
    domain::{Conversation, Limits, RoomName, Seq, Space, UserName},
    wire::{
        action::user_name,
        invalid_data::{InvalidData, invalid, object},
        schema,
    },
};

/// The most entries of a page, if the settings say nothing.
const HISTORY_ENTRIES_MAX: u32 = 200;
/// The most users of one question.
const USERS_MAX: usize = 1000;

/// The parameters of [`history_question`].
pub const HISTORY: &[Parameter] = &[
    SPACE,
    parameter("room", ParameterType::Text("room-name"), "Its history. Or `inbox`, or `direct`."),
    parameter("inbox", ParameterType::Text("user-name"), "The user whose inbox it is."),
    parameter("direct", ParameterType::Texts("user-name", 0, 2), "Twice: the two users."),
    parameter("before", ParameterType::Number(0), "Entries before this `seq`."),
    parameter("after", ParameterType::Number(0), "Entries after this `seq`; not with `before`."),
    parameter(
        "limit",
        ParameterType::Range(1, HISTORY_ENTRIES_MAX),
        "How many entries, 50 if left out. `limits.history_messages_max` may permit another number.",
    ),
];

/// The parameters of [`presence_question`].
pub const PRESENCE: &[Parameter] =
    &[SPACE, parameter("user", ParameterType::Texts("user-name", 1, USERS_MAX), "Once per user.")];

/// `space?`, one of `room`, `inbox` and `direct` (two users, each as `direct`), one of `before` and
/// `after` or neither, `limit?`.
pub fn history_question(query: &str, limits: &Limits) -> Result<ApiQuestion, InvalidData> {
    let query = Query::parse(query, HISTORY)?;
    let directs = query.all("direct").map(user_name).collect::<Result<Vec<_>, _>>()?;
    let of = match (query.one("room")?, query.one("inbox")?, &directs[..]) {
        (Some(room), None, []) => Conversation::Room(
            RoomName::parse(room)
                .map_err(|rejection| InvalidData::new(format!("`room`: {rejection}")))?,
        ),
        (None, Some(user), []) => Conversation::Inbox(user_name(user)?),
        (None, None, [one, other]) => Conversation::direct(one.clone(), other.clone()),
        _ => return invalid("this needs one of `room`, `inbox`, and two times `direct`"),
    };
    let range = match (query.number("before")?, query.number("after")?) {
        (None, None) => PageRange::Newest,
        (Some(seq), None) => PageRange::Before(Seq::from_raw(seq)),
        (None, Some(seq)) => PageRange::After(Seq::from_raw(seq)),
        (Some(_), Some(_)) => return invalid("`before` and `after` exclude each other"),
    };
    let limit = query.limit(limits.history_messages_max.get())?;
    Ok(ApiQuestion { space: query.space()?, topic: ApiTopic::History { of, range, limit } })
}

/// `space?`, and `user` once for each user.
pub fn presence_question(query: &str) -> Result<ApiQuestion, InvalidData> {
    let query = Query::parse(query, PRESENCE)?;
    let users: Vec<UserName> = query.all("user").map(user_name).collect::<Result<_, _>>()?;
    if users.is_empty() {
        return Err(InvalidData::missing("user"));
    } else if users.len() > USERS_MAX {
        return invalid("`user` may be there 1000 times");
    }
    Ok(ApiQuestion { space: query.space()?, topic: ApiTopic::Presence(users) })
}

/// The same question, as [`presence_request`] reads it. An address has not the length for all users.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PresenceData {
    /// `/` when it is left out.
    #[schema(format = "space", min_length = 1)]
    space: Option<String>,
    #[schema(schema_with = users_schema)]
    users: Vec<String>,
}

fn users_schema() -> RefOr<Schema> {
    let users = ArrayBuilder::new().items(schema::text("user-name"));
    users.min_items(Some(1)).max_items(Some(USERS_MAX)).into()
}

/// `{space?, users}`.
pub fn presence_request(body: &[u8]) -> Result<ApiQuestion, InvalidData> {
    let text = text(body)?;
    let PresenceData { space, users } = object(&text)?;
    if !(1..=USERS_MAX).contains(&users.len()) {
        return invalid("`users` has 1 to 1000 names");
    }
    let users = users.iter().map(|it| user_name(it)).collect::<Result<_, _>>()?;
    let space = space.as_deref().map_or(Ok(Space::root()), super::space)?;
    Ok(ApiQuestion { space, topic: ApiTopic::Presence(users) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_has_one_conversation_and_one_part() {
        let read = |query| history_question(query, &Limits::default());
        let topic = |query| read(query).map(|it| it.topic).unwrap();
        let news = Conversation::Room(RoomName::parse("news").unwrap());
        let newest = ApiTopic::History { of: news.clone(), range: PageRange::Newest, limit: None };
        assert_eq!(topic("room=news"), newest);
        let range = PageRange::Before(Seq::from_raw(7));
        let before = ApiTopic::History { of: news, range, limit: Some(3) };
        assert_eq!(topic("room=news&before=7&limit=3"), before);
        let [ann, bob] = ["ann", "bob"].map(UserName::from_raw);
        let range = PageRange::After(Seq::ZERO);
        let of = Conversation::direct(ann, bob);
        let direct = ApiTopic::History { of, range, limit: None };
        assert_eq!(topic("direct=bob&direct=ann&after=0"), direct);
    }

    #[test]
    fn other_queries_are_refused_with_the_reason() {
        for (query, why) in [
            ("", "one of `room`"),
            ("room=a&inbox=ann", "one of `room`"),
            ("direct=ann", "one of `room`"),
            ("room=", "`room`: a room name"),
            ("room=a&room=b", "same thing twice"),
            ("room=a&before=1&after=2", "exclude"),
            ("room=a&before=x", "`before` must be a whole number"),
            ("room=a&limit=0", "`limit` is 1 to 200"),
            ("room=a&limit=201", "`limit` is 1 to 200"),
            ("room=a&limit=99999999999", "`limit` is 1 to 200"),
            ("room=x%zz", "not percent-encoded"),
            ("room=a&rom=b", "there is no key `rom`, the nearest is `room`"),
            ("room=a&space=b", "\"b\" is not a space"),
            ("room=%ff", "not percent-encoded UTF-8"),
        ] {
            let reason = history_question(query, &Limits::default()).unwrap_err().to_string();
            assert!(reason.contains(why), "{query}: {reason}");
        }
        let many = vec!["user=a"; 1001].join("&");
        for (query, why) in
            [("", "the key `user` is missing"), (&*many, "1000 times"), ("user=", "a name has")]
        {
            let reason = presence_question(query).unwrap_err().to_string();
            assert!(reason.contains(why), "{reason}");
        }
    }
    #[test]
    fn a_page_of_history_has_the_documented_limit() {
        let limits = Limits::default();
        assert_eq!(limits.history_messages_max.get(), HISTORY_ENTRIES_MAX);
        assert!(history_question("room=a&limit=200", &limits).is_ok());
    }

    #[test]
    fn users_are_named_in_a_body_too() {
        let topic = ApiTopic::Presence(["ann", "b c"].map(UserName::from_raw).to_vec());
        let question = ApiQuestion { space: Space::parse("/shop").unwrap(), topic };
        let body = br#"{"space":"/shop","users":["ann","b c"]}"#;
        assert_eq!(presence_request(body), Ok(question));
        let users = |count| format!(r#"{{"users":{:?}}}"#, vec!["a"; count]);
        assert!(presence_request(users(1000).as_bytes()).is_ok());
        for (body, why) in [
            (users(0), "1 to 1000 names"),
            (users(1001), "1 to 1000 names"),
            (r#"{"users":[""]}"#.to_owned(), "a name has"),
            (r#"{"user":["a"]}"#.to_owned(), "there is no key `user`"),
            (r#"{"users":["a"],"space":"b"}"#.to_owned(), "\"b\" is not a space"),
        ] {
            let reason = presence_request(body.as_bytes()).unwrap_err().to_string();
            assert!(reason.contains(why), "{reason}");
        }
    }
}
