//! What back ends ask for: `/api/v1/emit`, `/messages`, `/notifications` and `/actions`.

use std::sync::Arc;

use axum::{Router, extract::State, routing::post};
use http::HeaderMap;

use super::{
    failure::{ApiFailure, method_not_allowed},
    json::{JsonBody, JsonText},
    key::Authorized,
    trace::traced,
};
use crate::{
    chat::Chat,
    wire::{
        api::{self, ApiList, Operation, PayloadSchema},
        contract::AnswerPayload,
    },
};

/// The largest body: a thousand short messages, or a few with attachments.
pub(super) const BODY_BYTES_MAX: usize = 8 << 20;

/// The routes.
pub(super) fn routes() -> Router<Arc<Chat>> {
    let route = |list| {
        post(move |chat, key, headers, body| perform(chat, key, headers, body, list))
            .fallback(async || method_not_allowed("POST"))
    };
    Router::new()
        .route("/api/v1/actions", route(ApiList::Actions))
        .route("/api/v1/emit", route(ApiList::Events))
        .route("/api/v1/messages", route(ApiList::Messages))
        .route("/api/v1/notifications", route(ApiList::Notifications))
}

/// The routes, as `/api/openapi.json` describes them.
pub(super) fn operations() -> Vec<Operation> {
    let operation = |path, list: ApiList, summary| {
        let results = PayloadSchema::answer(AnswerPayload::Results);
        Operation::post(path, summary).body(list.schema()).answers("An outcome per item.", results)
    };
    let publish = |path, list, summary| operation(path, list, summary).scopes(&["publish"]);
    vec![
        operation("/api/v1/actions", ApiList::Actions, "Publish and manage: a list of anything")
            .scopes(&["publish", "manage"]),
        publish("/api/v1/emit", ApiList::Events, "Send events of the application"),
        publish("/api/v1/messages", ApiList::Messages, "Send messages to rooms"),
        publish("/api/v1/notifications", ApiList::Notifications, "Send notifications to users"),
    ]
}

/// Performs the listed actions, each with its own outcome.
async fn perform(
    State(chat): State<Arc<Chat>>,
    Authorized(key): Authorized,
    headers: HeaderMap,
    JsonBody(body): JsonBody<BODY_BYTES_MAX>,
    list: ApiList,
) -> Result<JsonText, ApiFailure> {
    let request = api::request(list, &body, &chat.limits())?;
    let performing = chat.perform_for_api(&key, request);
    let results = traced(&chat, (span_name(list), &headers), performing).await?;
    Ok(JsonText(api::results(&results)))
}

fn span_name(list: ApiList) -> &'static str {
    match list {
        ApiList::Actions => "POST /api/v1/actions",
        ApiList::Events => "POST /api/v1/emit",
        ApiList::Messages => "POST /api/v1/messages",
        ApiList::Notifications => "POST /api/v1/notifications",
    }
}
