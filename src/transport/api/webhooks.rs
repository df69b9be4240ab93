//! Dead letters of webhooks: `/api/v1/webhooks/dead` and `/api/v1/webhooks/resend`.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::{get, post},
};

use super::{
    failure::{ApiFailure, method_not_allowed},
    json::{JsonBody, JsonText},
    key::Authorized,
};
use crate::{
    chat::Chat,
    wire::{
        api::{self, Operation, PayloadSchema},
        contract::AnswerPayload,
    },
};

/// The largest body: a thousand ids.
const BODY_BYTES_MAX: usize = 1 << 17;

/// The routes.
pub(super) fn routes() -> Router<Arc<Chat>> {
    let no_list = async || method_not_allowed("GET, HEAD");
    let no_resend = async || method_not_allowed("POST");
    Router::new()
        .route("/api/v1/webhooks/dead", get(list).fallback(no_list))
        .route("/api/v1/webhooks/resend", post(resend).fallback(no_resend))
}

/// The routes, as `/api/openapi.json` describes them.
pub(super) fn operations() -> Vec<Operation> {
    let resent = PayloadSchema::answer(AnswerPayload::Resent);
    vec![
        Operation::get("/api/v1/webhooks/dead", "Events that webhooks did not accept")
            .scopes(&["read"])
            .parameters(api::DEAD_LETTERS)
            .answers("A page, oldest first.", PayloadSchema::answer(AnswerPayload::DeadLetters)),
        Operation::post("/api/v1/webhooks/resend", "Send such events again")
            .scopes(&["manage"])
            .body(PayloadSchema::resend())
            .answers("They are waiting again.", resent),
    ]
}

async fn list(
    State(chat): State<Arc<Chat>>,
    Authorized(key): Authorized,
    RawQuery(query): RawQuery,
) -> Result<JsonText, ApiFailure> {
    let query = api::dead_letter_query(&query.unwrap_or_default())?;
    let page = chat.dead_letters(&key, query).await?;
    Ok(JsonText(api::dead_letters(&page)))
}

async fn resend(
    State(chat): State<Arc<Chat>>,
    Authorized(key): Authorized,
    JsonBody(body): JsonBody<BODY_BYTES_MAX>,
) -> Result<JsonText, ApiFailure> {
    let request = api::resend_request(&body)?;
    let resent = chat.resend(&key, request).await?;
    Ok(JsonText(api::resent(resent)))
}
