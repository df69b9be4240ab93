//! What the HTTP API reads and writes.
//!
//! docs/api.md is the reference.

mod ask;
mod bans;
mod document;
mod list;
mod member;
mod payload_schema;
mod query;
mod question;
mod revocations;
mod topic;
mod webhooks;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};
use utoipa::ToSchema;

pub use self::{
    ask::{ask_outcome, ask_request},
    bans::{BANS, UNBAN, ban, bans, bans_question, unban},
    document::{Operation, document},
    list::{
        CONNECTIONS, MEMBERS, ROOM, ROOMS, USERS, connections_question, members_question,
        room_question, rooms_question, users_question,
    },
    member::{MEMBER, changed_room, delete_member, done, only_result, put_member},
    payload_schema::PayloadSchema,
    query::Parameter,
    question::{HISTORY, PRESENCE, history_question, presence_question, presence_request},
    revocations::{
        END_REVOCATION, REVOCATIONS, ended_revocation, revocation, revocations,
        revocations_question,
    },
    topic::put_topic,
    webhooks::{DEAD_LETTERS, dead_letter_query, dead_letters, resend_request, resent},
};
use super::{
    action::{self, ActionData, EmitData, MessageData, NotifyData},
    answer,
    body::AttachmentEncoding,
    invalid_data::{InvalidData, invalid, object, quoted},
    json,
    payload::{self, Timestamp},
    rejection::RejectionData,
};
use crate::{
    chat::{ActionResult, ApiAnswer, ApiRequest, Receipt, ports::Action},
    domain::{EventStorage, Limits, Rejection, Space, UserName},
};

/// What a request lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiList {
    /// Actions of any kind, in `do`.
    Actions,
    /// Events, in `items`.
    Events,
    /// Messages, in `items`.
    Messages,
    /// Notifications, in `items`.
    Notifications,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ActionsData<'a> {
    /// `/` when it is left out.
    #[schema(format = "space", min_length = 1)]
    space: Option<String>,
    /// In whose name the items are that name nobody.
    #[schema(format = "user-name", min_length = 1)]
    user: Option<String>,
    #[serde(borrow, rename = "do")]
    #[schema(max_items = 1000)]
    actions: Vec<ActionData<'a>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ItemsData<T> {
    /// `/` when it is left out.
    #[schema(format = "space", min_length = 1)]
    space: Option<String>,
    /// In whose name the items are that name nobody.
    #[schema(format = "user-name", min_length = 1)]
    user: Option<String>,
    #[schema(max_items = 1000)]
    items: Vec<T>,
}

/// The outcomes of the actions of a request, in their order.
#[derive(Serialize)]
struct ResultsData<'a> {
    results: Vec<ResultData<'a>>,
}

#[derive(Serialize)]
struct ResultData<'a> {
    ok: bool,
    #[serde(flatten)]
    outcome: OutcomeData<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum OutcomeData<'a> {
    Done {},
    Stored {
        id: &'a str,
        seq: u64,
        at: Timestamp,
        #[serde(skip_serializing_if = "Option::is_none")]
        duplicate: Option<bool>,
    },
    Rejected(RejectionData<'a>),
}

impl ApiList {
    /// The schema of the body that [`request`] reads.
    pub fn schema(self) -> PayloadSchema {
        match self {
            Self::Actions => PayloadSchema::of::<ActionsData<'_>>("ActionList"),
            Self::Events => of_list::<EmitData<'_>>("EventList"),
            Self::Messages => of_list::<MessageData<'_>>("MessageList"),
            Self::Notifications => of_list::<NotifyData<'_>>("NotificationList"),
        }
    }
}

fn of_list<T: ToSchema>(name: &str) -> PayloadSchema {
    PayloadSchema::of_list::<ItemsData<T>, T>(name)
}

/// Parses the body of a request.
pub fn request(list: ApiList, body: &[u8], limits: &Limits) -> Result<ApiRequest, InvalidData> {
    let text = &text(body)?;
    let (space, user, actions) = match list {
        ApiList::Actions => {
            let ActionsData { space, user, actions } = object(text)?;
            (space, user, action::actions(actions, action::action, limits)?)
        }
        ApiList::Events => {
            let ItemsData::<EmitData<'_>> { space, user, items } = object(text)?;
            (space, user, action::actions(items, action::emit, limits)?)
        }
        ApiList::Messages => {
            let ItemsData::<MessageData<'_>> { space, user, items } = object(text)?;
            (space, user, action::actions(items, action::message, limits)?)
        }
        ApiList::Notifications => {
            let ItemsData::<NotifyData<'_>> { space, user, items } = object(text)?;
            (space, user, action::actions(items, action::notify, limits)?)
        }
    };
    let user = user.as_deref().map(action::user_name).transpose()?;
    check_users(user.as_ref(), &actions)?;
    Ok(ApiRequest {
        space: space.as_deref().map_or(Ok(Space::root()), self::space)?,
        user,
        actions,
    })
}

/// The text of a body.
fn text(body: &[u8]) -> Result<Cow<'_, str>, InvalidData> {
    let Ok(text) = str::from_utf8(body) else { return invalid("this is not UTF-8") };
    Ok(json::replace_lone_surrogates(text))
}

fn space(raw: &str) -> Result<Space, InvalidData> {
    Space::parse(raw)
        .map_err(|_rejection| InvalidData::new(format!("{} is not a space", quoted(raw))))
}

/// A time in RFC 3339.
fn time(key: &str, text: Option<&str>) -> Result<Option<OffsetDateTime>, InvalidData> {
    let parse = |text: &str| {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok();
        let at = at.and_then(|at| at.checked_to_offset(UtcOffset::UTC));
        at.ok_or_else(|| {
            InvalidData::new(format!("`{key}` is not a time such as \"2030-12-31T23:59:59Z\""))
        })
    };
    text.map(parse).transpose()
}

/// Refuses actions in nobody's name.
fn check_users(user: Option<&UserName>, actions: &[Action]) -> Result<(), InvalidData> {
    let has_none = |action: &Action| match action {
        Action::Emit { storage, .. } => matches!(storage, EventStorage::Kept { .. }),
        Action::Message { user, .. } | Action::Join { user, .. } | Action::Leave { user, .. } => {
            user.is_none()
        }
        Action::Notify { .. } => true,
        Action::Topic { .. } | Action::Disconnect(..) => false,
    };
    match actions.iter().position(has_none) {
        Some(place) if user.is_none() => {
            Err(InvalidData::new(format!("item {} needs `user`, beside the list", place + 1)))
        }
        _ => Ok(()),
    }
}

/// The outcomes, as JSON text.
pub fn results(results: &[Result<ActionResult, Rejection>]) -> String {
    let results = results.iter().map(ResultData::from).collect();
    payload::json(&ResultsData { results })
}

/// The answer to a question, as JSON text.
pub fn answer(answer: &ApiAnswer) -> String {
    match answer {
        ApiAnswer::Client(answer) => answer::answer(answer, AttachmentEncoding::Base64).json(),
        ApiAnswer::Users(page) => list::users(page),
        ApiAnswer::Connections(page) => list::connections(page),
        ApiAnswer::Rooms(page) => list::rooms(page),
        ApiAnswer::Room(details) => list::room(details),
        ApiAnswer::Members(page) => list::members(page),
    }
}

/// Why a request is refused, as JSON text.
pub fn failure(invalid: &InvalidData) -> String {
    payload::json(&RejectionData::from(invalid))
}

impl<'a> From<&'a Result<ActionResult, Rejection>> for ResultData<'a> {
    fn from(result: &'a Result<ActionResult, Rejection>) -> Self {
        let outcome = match result {
            Ok(ActionResult::Done) => OutcomeData::Done {},
            Ok(ActionResult::Stored(Receipt { id, seq, at, duplicate })) => OutcomeData::Stored {
                id: id.as_raw(),
                seq: seq.as_raw(),
                at: Timestamp(*at),
                duplicate: duplicate.then_some(true),
            },
            Err(rejection) => OutcomeData::Rejected(rejection.into()),
        };
        Self { ok: result.is_ok(), outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: ApiList, text: &str) -> Result<ApiRequest, String> {
        request(list, text.as_bytes(), &Limits::default()).map_err(|invalid| invalid.to_string())
    }

    /// Whether the schema of the document permits a body.
    fn is_documented(list: ApiList, text: &str) -> bool {
        permits(list.schema(), text)
    }

    fn permits(schema: PayloadSchema, text: &str) -> bool {
        let operation = Operation::post("/", "").body(schema);
        let document = document(&[operation]);
        let body = document["paths"]["/"]["post"]["requestBody"]["content"].clone();
        let root = body["application/json"]["schema"].clone();
        let schema = serde_json::json!({ "allOf": [root], "components": document["components"] });
        jsonschema::is_valid(&schema, &serde_json::from_str(text).unwrap())
    }

    #[test]
    fn the_schemas_agree_with_the_parsers() {
        let (member, target) = (r#"{"room":"a","user":"b"}"#, r#""event":"e","to":{"room":"a"}"#);
        let action = |text: &str| format!(r#"{{"user":"u","do":[{text}]}}"#);
        for (text, expected) in [
            (r#"{"message":{"room":"a","msg":{"b":1}}}"#.to_owned(), true),
            (r#"{"message":{"room":"a","msg":null}}"#.to_owned(), false),
            (r#"{"message":{"room":"a","msg":"  "}}"#.to_owned(), false),
            (r#"{"message":{"room":"a","msg":1,"more":2}}"#.to_owned(), false),
            (r#"{"message":{"msg":1}}"#.to_owned(), false),
            (r#"{"say":{}}"#.to_owned(), false),
            (format!(r#"{{"join":{member},"leave":{member}}}"#), false),
            (format!(r#"{{"join":{member}}}"#), true),
            (r#"{"join":{"room":"a","role":"reader"}}"#.to_owned(), true),
            (r#"{"join":{"room":"a","role":"god"}}"#.to_owned(), false),
            (r#"{"leave":{"room":"a","role":"reader"}}"#.to_owned(), false),
            (r#"{"kick":{"room":"a"}}"#.to_owned(), false),
            (r#"{"disconnect":{"user":"a"}}"#.to_owned(), true),
            (r#"{"disconnect":{}}"#.to_owned(), false),
            (format!(r#"{{"emit":{{{target},"args":null,"id":null}}}}"#), true),
            (format!(r#"{{"emit":{{{target},"args":{{}}}}}}"#), false),
            (format!(r#"{{"emit":{{{target},"kept":null}}}}"#), false),
            (r#"{"emit":{"event":"e","to":{}}}"#.to_owned(), false),
            (r#"{"emit":{"event":"e","to":{"room":"a","user":"b"}}}"#.to_owned(), false),
            (r#"{"emit":{"event":"e","to":{"space":false}}}"#.to_owned(), false),
            (r#"{"notify":{"to":"a","data":[]}}"#.to_owned(), true),
        ] {
            let body = action(&text);
            let read = read(ApiList::Actions, &body);
            assert_eq!(read.is_ok(), expected, "the parser of {body}: {read:?}");
            assert_eq!(is_documented(ApiList::Actions, &body), expected, "the schema of {body}");
        }
    }

    #[test]
    fn the_schemas_of_other_bodies_agree_with_their_parsers() {
        type Reads = fn(&str) -> bool;
        let ask: Reads = |text| ask_request(text.as_bytes(), &Limits::default()).is_ok();
        let ban: Reads = |text| ban(text.as_bytes()).is_ok();
        let revocation: Reads = |text| revocation(text.as_bytes()).is_ok();
        let member: Reads = |text| put_member(("a", "b"), "", text.as_bytes()).is_ok();
        let resend: Reads = |text| resend_request(text.as_bytes()).is_ok();
        let who = |rest: &str| format!(r#"{{"event":"e","to":{{"room":"a"}}{rest}}}"#);
        let at = r#""issued_before":"2030-01-01T00:00:00Z""#;
        for (reads, schema, text, expected) in [
            (ask, PayloadSchema::ask(), who(r#","timeout_ms":1"#), true),
            (ask, PayloadSchema::ask(), who(r#","timeout_ms":30000.0,"args":[1]"#), true),
            (ask, PayloadSchema::ask(), who(r#","timeout_ms":1.5"#), false),
            (ask, PayloadSchema::ask(), who(r#","timeout_ms":0"#), false),
            (ask, PayloadSchema::ask(), who(r#","timeout_ms":30001"#), false),
            (ask, PayloadSchema::ask(), who(r#","timeout_ms":1,"kept":true"#), false),
            (ask, PayloadSchema::ask(), who(""), false),
            (ban, PayloadSchema::ban(), r#"{"user":"a","until":null,"reason":""}"#.into(), true),
            (ban, PayloadSchema::ban(), r#"{"reason":"x"}"#.into(), false),
            (ban, PayloadSchema::ban(), r#"{"user":"a","until":7}"#.into(), false),
            (ban, PayloadSchema::ban(), r#"{"user":"a","at":null}"#.into(), false),
            (revocation, PayloadSchema::revocation(), r#"{"jti":"a","user":null}"#.into(), true),
            (revocation, PayloadSchema::revocation(), format!(r#"{{"user":"a",{at}}}"#), true),
            (revocation, PayloadSchema::revocation(), format!(r#"{{"jti":"a",{at}}}"#), false),
            (revocation, PayloadSchema::revocation(), r#"{"user":"a"}"#.into(), false),
            (revocation, PayloadSchema::revocation(), r#"{"jti":""}"#.into(), false),
            (resend, PayloadSchema::resend(), r#"{"webhook":"audit"}"#.into(), true),
            (resend, PayloadSchema::resend(), r#"{"ids":["msg_e_7"]}"#.into(), true),
            (resend, PayloadSchema::resend(), r#"{"ids":[],"webhook":"audit"}"#.into(), false),
            (resend, PayloadSchema::resend(), "{}".into(), false),
            (member, PayloadSchema::member(), "{}".into(), true),
            (member, PayloadSchema::member(), r#"{"role":null}"#.into(), true),
            (member, PayloadSchema::member(), r#"{"role":"god"}"#.into(), false),
            (member, PayloadSchema::member(), r#"{"user":"a"}"#.into(), false),
        ] {
            assert_eq!(reads(&text), expected, "the parser of {text}");
            assert_eq!(permits(schema, &text), expected, "the schema of {text}");
        }
    }

    #[test]
    fn each_list_has_its_items() {
        for (list, text) in [
            (ApiList::Actions, r#"{"do":[{"message":{"room":"news","user":"ann","msg":"x"}}]}"#),
            (ApiList::Events, r#"{"items":[{"event":"tick","to":{"space":true}}]}"#),
            (ApiList::Messages, r#"{"items":[{"room":"news","user":"ann","msg":"x"}]}"#),
            (ApiList::Notifications, r#"{"user":"shop","items":[{"to":"ann","data":"x"}]}"#),
        ] {
            let request = read(list, text).unwrap();
            assert_eq!((request.space, request.actions.len()), (Space::root(), 1), "{text}");
            assert!(is_documented(list, text), "{text}");
        }
    }

    #[test]
    fn other_bodies_are_refused_with_the_reason() {
        let many = format!(r#"{{"items":[{}]}}"#, vec![r#"{"room":"a","msg":1}"#; 1001].join(","));
        let kept = r#"{"items":[{"event":"a","to":{"room":"b"},"kept":true}]}"#;
        let item = r#"{"items":[{"room":"a","msg":"x"},{"room":"a","msg":"x"}]}"#;
        for (list, text, why) in [
            (ApiList::Actions, "", "not an object with keys of `space`, `user`, `do`"),
            (ApiList::Messages, "[]", "not an object with keys of `space`, `user`, `items`"),
            (ApiList::Messages, r#"{"items":[{"room":7,"msg":1}]}"#, "item 1: `room` must be a"),
            (ApiList::Actions, r#"{"do":[{"join":{}}]}"#, "item 1: the key `room` is missing"),
            (ApiList::Actions, "{}", "the key `do` is missing"),
            (ApiList::Messages, r#"{"do":[]}"#, "there is no key `do`"),
            (ApiList::Messages, r#"{"items":[],"space":"shop"}"#, "\"shop\" is not a space"),
            (ApiList::Messages, r#"{"items":[],"user":""}"#, "a name has"),
            (
                ApiList::Messages,
                r#"{"items":[{"room":"a","msg":""}]}"#,
                "item 1: `msg`: the message",
            ),
            (ApiList::Messages, item, "item 1 needs `user`"),
            (ApiList::Messages, &many, "more than 1000"),
            (ApiList::Events, kept, "item 1 needs `user`"),
            (ApiList::Events, r#"{"items":[{"event":"a","to":{"room":"b"},"id":"c"}]}"#, "an `id`"),
            (
                ApiList::Events,
                r#"{"items":[{"event":"closing","to":{"room":"b"}}]}"#,
                "\"closing\"",
            ),
        ] {
            let reason = read(list, text).unwrap_err();
            assert!(reason.contains(why), "{text}: {reason}");
        }
        let bytes = request(ApiList::Actions, &[0xff], &Limits::default());
        assert_eq!(bytes.unwrap_err().to_string(), "this is not UTF-8");
    }
}
