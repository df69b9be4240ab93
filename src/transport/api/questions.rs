//! What back ends read, with the parameters in the query: `/api/v1/history`, `/users` and others.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::{MethodRouter, get},
};

use super::{
    failure::{ApiFailure, method_not_allowed},
    json::JsonText,
    key::Authorized,
};
use crate::{
    chat::{ApiQuestion, Chat},
    wire::{
        InvalidData,
        api::{self, Operation, PayloadSchema},
        contract::AnswerPayload,
    },
};

/// The routes.
pub(super) fn routes() -> Router<Arc<Chat>> {
    Router::new()
        .route("/api/v1/history", route(api::history_question))
        .route("/api/v1/presence", route(api::presence_question))
        .route("/api/v1/users", route(api::users_question))
        .route("/api/v1/rooms", route(api::rooms_question))
        .route("/api/v1/connections", route(api::connections_question))
}

/// The routes, as `/api/openapi.json` describes them.
pub(super) fn operations() -> Vec<Operation> {
    let page = PayloadSchema::answer;
    let read = |path, summary| Operation::get(path, summary).scopes(&["read"]);
    vec![
        read("/api/v1/history", "Read a conversation's log")
            .parameters(api::HISTORY)
            .answers("A page, oldest first.", page(AnswerPayload::History)),
        read("/api/v1/presence", "Which users are online")
            .parameters(api::PRESENCE)
            .answers("Each user, in the order of the query.", page(AnswerPayload::Presence)),
        read("/api/v1/users", "List the users who are online")
            .parameters(api::USERS)
            .answers("A page, by name.", page(AnswerPayload::Users)),
        read("/api/v1/rooms", "List the rooms with members or messages")
            .parameters(api::ROOMS)
            .answers("A page, by name.", page(AnswerPayload::Rooms)),
        read("/api/v1/connections", "List the connections of all nodes")
            .parameters(api::CONNECTIONS)
            .answers("A page.", page(AnswerPayload::Connections)),
    ]
}

fn route(parse: fn(&str) -> Result<ApiQuestion, InvalidData>) -> MethodRouter<Arc<Chat>> {
    get(move |chat, key, query| answer(chat, key, query, parse))
        .fallback(async || method_not_allowed("GET, HEAD"))
}

async fn answer(
    State(chat): State<Arc<Chat>>,
    Authorized(key): Authorized,
    RawQuery(query): RawQuery,
    parse: fn(&str) -> Result<ApiQuestion, InvalidData>,
) -> Result<JsonText, ApiFailure> {
    let question = parse(&query.unwrap_or_default())?;
    let answer = chat.answer_for_api(&key, question).await?;
    Ok(JsonText(api::answer(&answer)))
}
