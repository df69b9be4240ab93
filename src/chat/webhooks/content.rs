//! What requests to webhooks contain: entries and names as they are when a request is sent.

use super::{
    names::add_names,
    request::{Request, RequestKind},
};
use crate::{
    chat::ports::{
        Fault, OutboxEvent, PageLimit, PageRange, RequestForm, SentEvent, Store, WebhookRequest,
    },
    domain::{DisplayNames, Entry, Epoch},
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
