//! What back ends read, with the parameters in the query: `/api/v1/history`, `/users` and others.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::{MethodRouter, get},
};

use super::{
    failure::{ApiFailure, method_not_allowed},
    json::{JsonBody, JsonText},
    key::Authorized,
};
use crate::{
    chat::{ApiQuestion, Chat},
    domain::Limits,
    wire::{
        InvalidData,
        api::{self, Operation, PayloadSchema},
        contract::AnswerPayload,
    },
};

/// The largest body: a thousand of the longest names, with every character as two escapes.
const PRESENCE_BYTES_MAX: usize = 1 << 20;

/// The routes.
pub(super) fn routes() -> Router<Arc<Chat>> {
    let presence = question(|query, _| api::presence_question(query)).post(post_presence);
    let no_presence = async || method_not_allowed("GET, HEAD, POST");
    Router::new()
        .route("/api/v1/history", route(api::history_question))
        .route("/api/v1/presence", presence.fallback(no_presence))
        .route("/api/v1/users", route(|query, _| api::users_question(query)))
        .route("/api/v1/rooms", route(|query, _| api::rooms_question(query)))
        .route("/api/v1/connections", route(|query, _| api::connections_question(query)))
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
        Operation::post("/api/v1/presence", "The same, of more users than an address has room for")
            .scopes(&["read"])
            .body(PayloadSchema::presence())
            .answers("Each user, in the order of the body.", page(AnswerPayload::Presence)),
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

/// How a query is read.
type ParseQuestion = fn(&str, &Limits) -> Result<ApiQuestion, InvalidData>;

fn route(parse: ParseQuestion) -> MethodRouter<Arc<Chat>> {
    question(parse).fallback(async || method_not_allowed("GET, HEAD"))
}

fn question(parse: ParseQuestion) -> MethodRouter<Arc<Chat>> {
    get(move |chat, key, query| answer(chat, key, query, parse))
}

async fn answer(
    State(chat): State<Arc<Chat>>,
    Authorized(key): Authorized,
    RawQuery(query): RawQuery,
    parse: ParseQuestion,
) -> Result<JsonText, ApiFailure> {
    let question = parse(&query.unwrap_or_default(), &chat.limits())?;
    let answer = chat.answer_for_api(&key, question).await?;
    Ok(JsonText(api::answer(&answer)))
}

async fn post_presence(
    State(chat): State<Arc<Chat>>,
    Authorized(key): Authorized,
    JsonBody(body): JsonBody<PRESENCE_BYTES_MAX>,
) -> Result<JsonText, ApiFailure> {
    let answer = chat.answer_for_api(&key, api::presence_request(&body)?).await?;
    Ok(JsonText(api::answer(&answer)))
}
