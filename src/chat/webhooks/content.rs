//! What requests to webhooks contain: entries and names as they are when a request is sent.

use std::collections::{BTreeMap, BTreeSet};

use super::request::{Request, RequestKind};
use crate::{
    chat::ports::{
        Fault, OutboxEvent, PageLimit, PageRange, RequestForm, SentEvent, Store, WebhookRequest,
    },
    domain::{DisplayNames, Entry, Epoch, Space, UserName},
};

/// The request as it is sent, with the entries that are still stored.
pub(super) async fn sent(store: &dyn Store, request: &Request) -> Result<WebhookRequest, Fault> {
    let mut events = Vec::with_capacity(request.events.len());
    for event in &request.events {
        let id = event_id(store.epoch(), event);
        let (event, entry) = (event.new.clone(), entry(store, event).await?);
        events.push(SentEvent { id, event, entry, names: DisplayNames::new() });
    }
    add_names(store, &mut events).await?;
    let (id, form) = match &request.kind {
        RequestKind::Batch(batch) => (batch.to_string(), RequestForm::Batch),
        RequestKind::Single | RequestKind::NewBatch => {
            let id = events.first().map(|it| it.id.clone());
            (id.unwrap_or_default(), RequestForm::Single)
        }
    };
    Ok(WebhookRequest { id, form, events })
}

/// Adds the present display names of the users that the events name, with one query per space.
async fn add_names(store: &dyn Store, events: &mut [SentEvent]) -> Result<(), Fault> {
    let mut users: BTreeMap<Space, BTreeSet<UserName>> = BTreeMap::new();
    for SentEvent { event, .. } in &*events {
        let (user, by) = event.event.user_and_by();
        let named = user.into_iter().chain(by).cloned();
        users.entry(event.space.clone()).or_default().extend(named);
    }
    for (space, users) in users.into_iter().filter(|(_, users)| !users.is_empty()) {
        let users: Vec<_> = users.into_iter().collect();
        let names = store.display_names(&space, &users).await?;
        for sent in events.iter_mut().filter(|it| it.event.space == space) {
            let (user, by) = sent.event.event.user_and_by();
            let told = user.into_iter().chain(by).filter_map(|it| names.get_key_value(it));
            sent.names = told.map(|(user, name)| (user.clone(), name.clone())).collect();
        }
    }
    Ok(())
}

/// The entry that an event is about, if it is still stored.
async fn entry(store: &dyn Store, event: &OutboxEvent) -> Result<Option<Entry>, Fault> {
    let Some((place, seq)) = event.new.entry() else { return Ok(None) };
    let after = PageRange::After(seq.previous().unwrap_or_default());
    let limit = PageLimit { messages: 1, bytes: usize::MAX, attachments: usize::MAX };
    let page = store.page(&place, after, limit).await?;
    Ok(page.entries.into_iter().find(|entry| entry.seq() == seq))
}

/// The id of an event in all requests: that of the database, and the number in it.
pub(in crate::chat) fn event_id(epoch: &Epoch, event: &OutboxEvent) -> String {
    format!("msg_{}_{}", epoch.as_raw(), event.id)
}

/// The number of the event with this id.
pub(in crate::chat) fn parse_event_id(epoch: &Epoch, id: &str) -> Option<u64> {
    id.strip_prefix("msg_")?.strip_prefix(epoch.as_raw())?.strip_prefix('_')?.parse().ok()
}
