//! Dead letters of webhooks, for the HTTP API.

use std::collections::BTreeMap;

use super::{
    Chat,
    fault::unavailable,
    ports::{ApiKey, DeadLetters, OutboxEvent},
    request::ListRange,
    webhooks::{Webhooks, event_id, names_by_space, parse_event_id},
};
use crate::domain::{ApiScope, DisplayNames, Rejection, Space, WebhookName};

/// The ids of the events are those in requests.
const BAD_ID: Rejection = Rejection::BadRequest("an id is that of an event: msg_…");
const NO_WEBHOOK: Rejection = Rejection::BadRequest("there is no webhook of this name");

/// Which dead letters are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterQuery {
    /// Those of this webhook; of all without one.
    pub webhook: Option<WebhookName>,
    /// The part of the list; its cursor is the id of an event.
    pub range: ListRange<String>,
}

/// Which dead letters are sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResendRequest {
    /// Those with these ids.
    Ids(Vec<String>),
    /// All of a webhook.
    Webhook(WebhookName),
}

/// Dead letters, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterPage {
    /// Each with the id of its event.
    pub letters: Vec<(String, OutboxEvent)>,
    /// The present display names of the users whom the events name.
    pub names: BTreeMap<Space, DisplayNames>,
    /// Whether there are more.
    pub more: bool,
}

impl Chat {
    /// A page of dead letters.
    pub async fn dead_letters(
        &self,
        key: &ApiKey,
        query: DeadLetterQuery,
    ) -> Result<DeadLetterPage, Rejection> {
        self.check_webhook_key(key, ApiScope::Read)?;
        let DeadLetterQuery { webhook, range: ListRange { after, limit } } = query;
        let webhooks = self.webhooks(webhook.as_ref())?;
        let after = after.map(|id| self.event_number(&id)).transpose()?.unwrap_or_default();
        let letters = webhooks.outbox.dead_letters(webhook.as_ref(), after, limit + 1).await;
        let mut letters = letters.map_err(|fault| unavailable(&fault))?;
        let more = letters.len() > limit;
        letters.truncate(limit);
        let names = names_by_space(&*self.store, letters.iter().map(|it| &it.new)).await;
        let names = names.map_err(|fault| unavailable(&fault))?;
        let epoch = self.store.epoch();
        let letters = letters.into_iter().map(|letter| (event_id(epoch, &letter), letter));
        Ok(DeadLetterPage { letters: letters.collect(), names, more })
    }

    /// Has dead letters sent again. Returns how many there are.
    pub async fn resend(&self, key: &ApiKey, request: ResendRequest) -> Result<u64, Rejection> {
        self.check_webhook_key(key, ApiScope::Manage)?;
        let (webhook, letters) = match request {
            ResendRequest::Ids(ids) => {
                let ids = ids.iter().map(|id| self.event_number(id)).collect::<Result<_, _>>()?;
                (None, DeadLetters::Ids(ids))
            }
            ResendRequest::Webhook(name) => (Some(name.clone()), DeadLetters::Of(name)),
        };
        let webhooks = self.webhooks(webhook.as_ref())?;
        let resent = webhooks.outbox.resend(&letters).await;
        let resent = resent.map_err(|fault| unavailable(&fault))?;
        webhooks.wake();
        Ok(resent)
    }

    /// Webhooks are told of several spaces, so a key for some spaces is not enough.
    fn check_webhook_key(&self, key: &ApiKey, scope: ApiScope) -> Result<(), Rejection> {
        self.admit_api_request_for_all(key, scope)
    }

    fn webhooks(&self, name: Option<&WebhookName>) -> Result<&Webhooks, Rejection> {
        let webhooks = self.webhooks.as_deref().ok_or(NO_WEBHOOK)?;
        if name.is_none_or(|name| webhooks.has(name)) { Ok(webhooks) } else { Err(NO_WEBHOOK) }
    }

    fn event_number(&self, id: &str) -> Result<u64, Rejection> {
        parse_event_id(self.store.epoch(), id).ok_or(BAD_ID)
    }
}
