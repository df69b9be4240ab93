//! What the HTTP API reads and writes.
//!
//! docs/api.md is the reference.

mod ask;
mod question;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use self::ask::{ask_outcome, ask_request};
pub use self::question::{history_question, presence_question};
use super::{
    action::{self, ActionData, EmitData, MessageData, NotifyData},
    answer,
    body::AttachmentEncoding,
    invalid_data::{InvalidData, invalid, object},
    json,
    payload::{self, Timestamp},
    rejection::RejectionData,
};
use crate::{
    chat::{ActionResult, Answer, ApiRequest, Receipt, ports::Action},
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionsData<'a> {
    space: Option<String>,
    user: Option<String>,
    #[serde(borrow, rename = "do")]
    actions: Vec<ActionData<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemsData<T> {
    space: Option<String>,
    user: Option<String>,
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

/// Parses the body of a request.
pub fn request(list: ApiList, body: &[u8], limits: &Limits) -> Result<ApiRequest, InvalidData> {
    let text = &text_of(body)?;
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

/// The text of a body, which is JSON.
fn text_of(body: &[u8]) -> Result<Cow<'_, str>, InvalidData> {
    let Ok(text) = str::from_utf8(body) else { return invalid("this is not UTF-8") };
    Ok(json::replace_lone_surrogates(text))
}

fn space(raw: &str) -> Result<Space, InvalidData> {
    Space::parse(raw).map_err(|_rejection| InvalidData(format!("{raw:?} is not a space")))
}

/// Refuses actions in nobody's name.
fn check_users(user: Option<&UserName>, actions: &[Action]) -> Result<(), InvalidData> {
    let has_none = |action: &Action| match action {
        Action::Emit { storage, .. } => matches!(storage, EventStorage::Kept { .. }),
        Action::Message { user, .. } | Action::Join { user, .. } | Action::Leave { user, .. } => {
            user.is_none()
        }
        Action::Notify { .. } => true,
        Action::Disconnect(_) => false,
    };
    match actions.iter().position(has_none) {
        Some(place) if user.is_none() => {
            Err(InvalidData(format!("item {} needs `user`, beside the list", place + 1)))
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
pub fn answer(answer: &Answer) -> String {
    answer::answer(answer, AttachmentEncoding::Base64).json()
}

/// Why a request is refused, as JSON text.
pub fn failure(invalid: &InvalidData) -> String {
    payload::json(&serde_json::json!({ "code": "bad_request", "message": invalid.to_string() }))
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
        }
    }

    #[test]
    fn other_bodies_are_refused_with_the_reason() {
        let many = format!(r#"{{"items":[{}]}}"#, vec![r#"{"room":"a","msg":1}"#; 1001].join(","));
        let kept = r#"{"items":[{"event":"a","to":{"room":"b"},"kept":true}]}"#;
        let item = r#"{"items":[{"room":"a","msg":"x"},{"room":"a","msg":"x"}]}"#;
        for (list, text, why) in [
            (ApiList::Actions, "", "this is not a JSON object"),
            (ApiList::Actions, "[]", "this is not a JSON object"),
            (ApiList::Actions, "{}", "missing field `do`"),
            (ApiList::Messages, r#"{"do":[]}"#, "unknown field `do`"),
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
