//! Dead letters of webhooks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema, schema::ArrayBuilder},
};

use super::{
    list::{AFTER, LIMIT, PAGE_ITEMS_MAX, range},
    query::{Parameter, ParameterType, Query, parameter},
};
use crate::{
    chat::{DeadLetterPage, DeadLetterQuery, ResendRequest, ports::OutboxEvent},
    domain::{DisplayNames, Space, WebhookName},
    wire::{
        invalid_data::{InvalidData, invalid, object},
        payload::{self, Timestamp},
        schema,
        webhook::{self, EventData},
    },
};

/// The most dead letters of a page, and the most ids of a request.
const LETTERS_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResendData {
    ids: Option<Vec<String>>,
    webhook: Option<String>,
}

impl PartialSchema for ResendData {
    fn schema() -> RefOr<Schema> {
        let ids = ArrayBuilder::new().items(schema::text("event-id")).max_items(Some(LETTERS_MAX));
        let webhook = schema::text("webhook-name");
        schema::one_key_of(vec![("ids", ids.into()), ("webhook", webhook)])
    }
}

impl ToSchema for ResendData {}

#[derive(Serialize)]
struct PageData<'a> {
    dead: Vec<LetterData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
}

/// The event, and how its delivery failed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LetterData<'a> {
    webhook: &'a str,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_at: Option<Timestamp>,
    #[serde(flatten)]
    event: EventData<'a>,
}

/// The parameters of [`dead_letter_query`].
pub const DEAD_LETTERS: &[Parameter] = &[
    parameter("webhook", ParameterType::Text("webhook-name"), "Those of this webhook alone."),
    parameter("after", ParameterType::Text("event-id"), AFTER),
    LIMIT,
];

/// `webhook?`, `after?` (an id), `limit?`.
pub fn dead_letter_query(query: &str) -> Result<DeadLetterQuery, InvalidData> {
    let query = Query::parse(query, DEAD_LETTERS)?;
    let range = range(&query, |id| Ok(id.to_owned()), PAGE_ITEMS_MAX)?;
    Ok(DeadLetterQuery { webhook: query.one("webhook")?.map(WebhookName::from_raw), range })
}

/// `{ids}` or `{webhook}`.
pub fn resend_request(body: &[u8]) -> Result<ResendRequest, InvalidData> {
    let Ok(text) = str::from_utf8(body) else { return invalid("this is not UTF-8") };
    let ResendData { ids, webhook } = object(text)?;
    match (ids, webhook) {
        (Some(ids), None) if ids.len() > LETTERS_MAX => invalid("there are more than 1000 ids"),
        (Some(ids), None) => Ok(ResendRequest::Ids(ids)),
        (None, Some(name)) => Ok(ResendRequest::Webhook(WebhookName::from_raw(&name))),
        (Some(_), Some(_)) | (None, None) => invalid("this needs one of `ids` and `webhook`"),
    }
}

/// A page of dead letters, as JSON text.
pub fn dead_letters(page: &DeadLetterPage) -> String {
    let letters = page.letters.iter();
    let dead = letters.map(|(id, letter)| letter_data(id, letter, &page.names)).collect();
    let next = page.letters.last().filter(|_| page.more).map(|(id, _)| &**id);
    payload::json(&PageData { dead, next })
}

fn letter_data<'a>(
    id: &'a str,
    letter: &'a OutboxEvent,
    names: &'a BTreeMap<Space, DisplayNames>,
) -> LetterData<'a> {
    let OutboxEvent { id: _, new, batch: _, attempts, failure, dead_at } = letter;
    LetterData {
        webhook: new.webhook.as_raw(),
        attempts: *attempts,
        failure: failure.as_deref(),
        dead_at: dead_at.map(Timestamp),
        event: webhook::event(id, new, (None, names.get(&new.space))),
    }
}

/// How many dead letters are sent again, as JSON text.
pub fn resent(count: u64) -> String {
    payload::json(&serde_json::json!({ "ok": true, "resent": count }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ListRange;

    #[test]
    fn a_query_has_a_webhook_a_cursor_and_a_limit() {
        let webhook = Some(WebhookName::from_raw("audit"));
        let range = ListRange { after: Some("msg_e_7".to_owned()), limit: 1000 };
        let query = dead_letter_query("webhook=audit&after=msg_e_7&limit=1000");
        assert_eq!(query, Ok(DeadLetterQuery { webhook, range }));
        let range = ListRange { after: None, limit: 100 };
        assert_eq!(dead_letter_query(""), Ok(DeadLetterQuery { webhook: None, range }));
        for (query, why) in [
            ("limit=0", "1 to 1000"),
            ("limit=1001", "1 to 1000"),
            ("limit=x", "`limit` must be a whole number"),
            ("name=a", "there is no key `name`"),
            ("webhook=a&webhook=b", "twice"),
        ] {
            let reason = dead_letter_query(query).unwrap_err().to_string();
            assert!(reason.contains(why), "{query}: {reason}");
        }
    }

    #[test]
    fn a_request_has_ids_or_a_webhook() {
        let ids = resend_request(br#"{"ids":["msg_e_7"]}"#).unwrap();
        assert_eq!(ids, ResendRequest::Ids(vec!["msg_e_7".to_owned()]));
        let all = resend_request(br#"{"webhook":"audit"}"#).unwrap();
        assert_eq!(all, ResendRequest::Webhook(WebhookName::from_raw("audit")));
        let many = format!(r#"{{"ids":[{}]}}"#, vec![r#""a""#; 1001].join(","));
        for (body, why) in [
            ("{}", "one of `ids`"),
            (r#"{"ids":[],"webhook":"a"}"#, "one of `ids`"),
            (r#"{"ids":[7]}"#, "`ids` must be a list of texts"),
            (r#"{"id":"a"}"#, "there is no key `id`"),
            ("[]", "not an object with keys of `ids`, `webhook`"),
            (&*many, "more than 1000"),
        ] {
            let reason = resend_request(body.as_bytes()).unwrap_err().to_string();
            assert!(reason.contains(why), "{body}: {reason}");
        }
    }
}
