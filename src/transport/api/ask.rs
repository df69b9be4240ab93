//! Asks of back ends: `/api/v1/ask`.

use std::sync::Arc;

use axum::{Router, extract::State, routing::post};
use http::HeaderMap;

use super::{
    actions::BODY_BYTES_MAX,
    failure::{ApiFailure, method_not_allowed},
    json::{JsonBody, JsonText},
    key::Authorized,
    trace::traced,
};
use crate::{
    chat::Chat,
    wire::{
        api::{self, Operation, PayloadSchema},
        contract::AnswerPayload,
    },
};

/// The route.
pub(super) fn routes() -> Router<Arc<Chat>> {
    Router::new().route("/api/v1/ask", post(ask).fallback(async || method_not_allowed("POST")))
}

/// The route, as `/api/openapi.json` describes it.
pub(super) fn operations() -> Vec<Operation> {
    let answers = PayloadSchema::answer(AnswerPayload::Asked);
    vec![
        Operation::post("/api/v1/ask", "Ask connections, and wait for their answers")
            .scopes(&["publish"])
            .body(PayloadSchema::ask())
            .answers("The answers that came in time.", answers),
    ]
}

/// Sends an event to connections, and answers with their answers.
async fn ask(
    State(chat): State<Arc<Chat>>,
    Authorized(key): Authorized,
    headers: HeaderMap,
    JsonBody(body): JsonBody<BODY_BYTES_MAX>,
) -> Result<JsonText, ApiFailure> {
    let request = api::ask_request(&body, &chat.limits())?;
    let asking = chat.ask_for_api(&key, request);
    let (outcome, names) = traced(&chat, ("POST /api/v1/ask", &headers), asking).await?;
    Ok(JsonText(api::ask_outcome(&outcome, &names)))
}
