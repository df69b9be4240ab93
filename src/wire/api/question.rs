//! Questions: queries of `GET`.

use super::query::{Parameter, ParameterType, Query, SPACE, parameter};
use crate::{
    chat::{ApiQuestion, ApiTopic, ports::PageRange},
    domain::{Conversation, RoomName, Seq, UserName},
    wire::{
        action::user_name,
        invalid_data::{InvalidData, invalid},
    },
};

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
    parameter("limit", ParameterType::Number(1), "How many entries."),
];

/// The parameters of [`presence_question`].
pub const PRESENCE: &[Parameter] =
    &[SPACE, parameter("user", ParameterType::Texts("user-name", 1, USERS_MAX), "Once per user.")];

/// `space?`, one of `room`, `inbox` and `direct` (two users, each as `direct`), one of `before` and
/// `after` or neither, `limit?`.
pub fn history_question(query: &str) -> Result<ApiQuestion, InvalidData> {
    let query = Query::parse(query, HISTORY)?;
    let directs = query.all("direct").map(user_name).collect::<Result<Vec<_>, _>>()?;
    let of = match (query.one("room")?, query.one("inbox")?, &directs[..]) {
        (Some(room), None, []) => Conversation::Room(
            RoomName::parse(room)
                .map_err(|rejection| InvalidData(format!("`room`: {rejection}")))?,
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
    let limit = query.limit()?;
    Ok(ApiQuestion { space: query.space()?, topic: ApiTopic::History { of, range, limit } })
}

/// `space?`, and `user` once for each user.
pub fn presence_question(query: &str) -> Result<ApiQuestion, InvalidData> {
    let query = Query::parse(query, PRESENCE)?;
    let users: Vec<UserName> = query.all("user").map(user_name).collect::<Result<_, _>>()?;
    if !(1..=USERS_MAX).contains(&users.len()) {
        return invalid("this needs `user`, 1 to 1000 times");
    }
    Ok(ApiQuestion { space: query.space()?, topic: ApiTopic::Presence(users) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_has_one_conversation_and_one_part() {
        let topic = |query| history_question(query).map(|it| it.topic).unwrap();
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
            ("room=a&before=x", "`before` is not a number"),
            ("room=a&limit=0", "`limit` is at least 1"),
            ("room=a&rom=b", "there is no \"rom\"; there are space, room"),
            ("room=a&space=b", "\"b\" is not a space"),
            ("room=%ff", "not UTF-8"),
        ] {
            let reason = history_question(query).unwrap_err().to_string();
            assert!(reason.contains(why), "{query}: {reason}");
        }
        let many = vec!["user=a"; 1001].join("&");
        for (query, why) in [("", "1 to 1000"), (&*many, "1 to 1000"), ("user=", "a name has")] {
            let reason = presence_question(query).unwrap_err().to_string();
            assert!(reason.contains(why), "{reason}");
        }
    }
}
