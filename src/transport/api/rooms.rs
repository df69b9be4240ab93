//! Rooms and their members: `/api/v1/rooms/{room}` and below.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::{MethodRouter, get, post, put},
};

use super::{
    failure::{ApiFailure, method_not_allowed},
    json::{JsonBody, JsonText, OptionalJsonBody},
    key::Authorized,
    path::PathNames,
};
use crate::{
    chat::{ApiQuestion, ApiRequest, Chat, RoomChange, ports::ApiKey},
    domain::Rejection,
    wire::{
        InvalidData,
        api::{self, Operation, PayloadSchema},
        contract::AnswerPayload,
    },
};

/// The largest body of a membership: a role.
const BODY_BYTES_MAX: usize = 1 << 10;
/// The largest body of a topic: with its user, in any JSON.
const TOPIC_BYTES_MAX: usize = 1 << 12;

/// The routes.
pub(super) fn routes() -> Router<Arc<Chat>> {
    let member = put(put_member).delete(delete_member);
    Router::new()
        .route(
            "/api/v1/rooms/{room}",
            about_room(api::room_question)
                .delete(delete_room)
                .fallback(async || method_not_allowed("GET, HEAD, DELETE")),
        )
        .route(
            "/api/v1/rooms/{room}/empty",
            post(empty_room).fallback(async || method_not_allowed("POST")),
        )
        .route(
            "/api/v1/rooms/{room}/topic",
            put(put_topic).fallback(async || method_not_allowed("PUT")),
        )
        .route(
            "/api/v1/rooms/{room}/members",
            about_room(api::members_question).fallback(async || method_not_allowed("GET, HEAD")),
        )
        .route(
            "/api/v1/rooms/{room}/members/{user}",
            member.fallback(async || method_not_allowed("PUT, DELETE")),
        )
}

/// The routes, as `/api/openapi.json` describes them.
pub(super) fn operations() -> Vec<Operation> {
    const ROOM: &str = "/api/v1/rooms/{room}";
    const MEMBER: &str = "/api/v1/rooms/{room}/members/{user}";
    let answer = PayloadSchema::answer;
    let read = |it: Operation| it.scopes(&["read"]).refuses(&[Rejection::NoSuchRoom]);
    let change =
        |it: Operation, about| it.scopes(&["manage"]).answers(about, answer(AnswerPayload::Done));
    vec![
        read(Operation::get(ROOM, "Read about a room"))
            .parameters(api::ROOM)
            .answers("The room.", answer(AnswerPayload::Room)),
        change(Operation::delete(ROOM, "End all memberships, and remove the log"), "It is done.")
            .parameters(api::ROOM)
            .refuses(&[Rejection::NoSuchRoom]),
        change(Operation::post("/api/v1/rooms/{room}/empty", "Remove the log"), "It is empty.")
            .parameters(api::ROOM)
            .refuses(&[Rejection::NoSuchRoom]),
        change(
            Operation::put("/api/v1/rooms/{room}/topic", "Set the topic, or remove it"),
            "The room has this topic.",
        )
        .parameters(api::ROOM)
        .body(PayloadSchema::topic())
        .refuses(&[Rejection::NoSuchRoom]),
        read(Operation::get("/api/v1/rooms/{room}/members", "List the members of a room"))
            .parameters(api::MEMBERS)
            .answers("A page, by name.", answer(AnswerPayload::Members)),
        change(Operation::put(MEMBER, "Make a user a member, or change the role"), "It is stored.")
            .parameters(api::MEMBER)
            .optional_body(PayloadSchema::member())
            .refuses(&[Rejection::NoSuchUser, Rejection::TooManyRooms]),
        change(Operation::delete(MEMBER, "End a membership"), "The user is no member.")
            .parameters(api::MEMBER)
            .refuses(&[Rejection::NoSuchUser]),
    ]
}

/// A question about a room.
type ParseQuestion = fn(&str, &str) -> Result<ApiQuestion, InvalidData>;

fn about_room(parse: ParseQuestion) -> MethodRouter<Arc<Chat>> {
    get(move |chat, key, names, query| answer(chat, key, names, query, parse))
}

async fn answer(
    State(chat): State<Arc<Chat>>,
    Authorized(key): Authorized,
    PathNames([room]): PathNames<1>,
    RawQuery(query): RawQuery,
    parse: ParseQuestion,
) -> Result<JsonText, ApiFailure> {
    let question = parse(&room, &query.unwrap_or_default())?;
    let answer = chat.answer_for_api(&key, question).await?;
    Ok(JsonText(api::answer(&answer)))
}

async fn empty_room(
    State(chat): State<Arc<Chat>>,
    Authorized(key): Authorized,
    PathNames([room]): PathNames<1>,
    RawQuery(query): RawQuery,
) -> Result<JsonText, ApiFailure> {
    let (space, room) = api::changed_room(&room, &query.unwrap_or_default())?;
    chat.change_room_for_api(&key, (&space, &room), RoomChange::Empty).await?;
    Ok(JsonText(api::done()))
}

async fn delete_room(
    State(chat): State<Arc<Chat>>,
    Authorized(key): Authorized,
    PathNames([room]): PathNames<1>,
    RawQuery(query): RawQuery,
) -> Result<JsonText, ApiFailure> {
    let (space, room) = api::changed_room(&room, &query.unwrap_or_default())?;
    chat.change_room_for_api(&key, (&space, &room), RoomChange::Delete).await?;
    Ok(JsonText(api::done()))
}

async fn put_topic(
    State(chat): State<Arc<Chat>>,
    Authorized(key): Authorized,
    PathNames([room]): PathNames<1>,
    RawQuery(query): RawQuery,
    JsonBody(body): JsonBody<TOPIC_BYTES_MAX>,
) -> Result<JsonText, ApiFailure> {
    let request = api::put_topic(&room, &query.unwrap_or_default(), &body)?;
    perform(&chat, &key, request).await
}

async fn put_member(
    State(chat): State<Arc<Chat>>,
    Authorized(key): Authorized,
    PathNames([room, user]): PathNames<2>,
    RawQuery(query): RawQuery,
    OptionalJsonBody(body): OptionalJsonBody<BODY_BYTES_MAX>,
) -> Result<JsonText, ApiFailure> {
    let request = api::put_member((&room, &user), &query.unwrap_or_default(), &body)?;
    perform(&chat, &key, request).await
}

async fn delete_member(
    State(chat): State<Arc<Chat>>,
    Authorized(key): Authorized,
    PathNames([room, user]): PathNames<2>,
    RawQuery(query): RawQuery,
) -> Result<JsonText, ApiFailure> {
    let request = api::delete_member((&room, &user), &query.unwrap_or_default())?;
    perform(&chat, &key, request).await
}

/// Performs the only action of a request.
async fn perform(chat: &Chat, key: &ApiKey, request: ApiRequest) -> Result<JsonText, ApiFailure> {
    let results = chat.perform_for_api(key, request).await?;
    Ok(JsonText(api::only_result(results)?))
}
