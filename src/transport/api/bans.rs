//! `/api/v1/bans` and `/api/v1/revocations`: who may not come in, and which tokens are refused.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};

use super::{
    failure::{ApiFailure, method_not_allowed},
    json::{JsonBody, JsonText},
    key::Authorized,
};
use crate::{
    chat::Chat,
    domain::Rejection,
    wire::{
        api::{self, Operation, PayloadSchema},
        contract::AnswerPayload,
    },
};

/// The largest body: the longest reason, with every character as an escape, and names.
const BODY_BYTES_MAX: usize = 16 << 10;

/// The routes.
pub(super) fn routes() -> Router<Arc<Chat>> {
    let bans = get(bans)
        .post(ban)
        .delete(unban)
        .fallback(async || method_not_allowed("GET, HEAD, POST, DELETE"));
    let revocations = get(revocations)
        .post(revoke)
        .delete(end_revocation)
        .fallback(async || method_not_allowed("GET, HEAD, POST, DELETE"));
    Router::new().route("/api/v1/bans", bans).route("/api/v1/revocations", revocations)
}

/// The routes, as `/api/openapi.json` describes them.
pub(super) fn operations() -> Vec<Operation> {
    const BANS: &str = "/api/v1/bans";
    const REVOCATIONS: &str = "/api/v1/revocations";
    let done = || PayloadSchema::answer(AnswerPayload::Done);
    vec![
        Operation::get(BANS, "Who is banned from a space, or from all")
            .scopes(&["read"])
            .parameters(api::BANS)
            .answers("A page, by name.", PayloadSchema::answer(AnswerPayload::Bans)),
        Operation::post(BANS, "Ban a user from a space, or from all")
            .scopes(&["manage"])
            .body(PayloadSchema::ban())
            .answers("It is stored.", done())
            .refuses(&[Rejection::TooManyDenials]),
        Operation::delete(BANS, "End a ban")
            .scopes(&["manage"])
            .parameters(api::UNBAN)
            .answers("The user is not banned.", done()),
        Operation::get(REVOCATIONS, "Which tokens are revoked")
            .scopes(&["read"])
            .parameters(api::REVOCATIONS)
            .answers("A page.", PayloadSchema::answer(AnswerPayload::Revocations)),
        Operation::post(REVOCATIONS, "Revoke a token, or those of a user")
            .scopes(&["manage"])
            .body(PayloadSchema::revocation())
            .answers("It is stored.", done())
            .refuses(&[Rejection::TooManyDenials]),
        Operation::delete(REVOCATIONS, "End a revocation")
            .scopes(&["manage"])
            .parameters(api::END_REVOCATION)
            .answers("The tokens are not revoked.", done()),
    ]
}

async fn ban(
    State(chat): State<Arc<Chat>>,
    Authorized(key): Authorized,
    JsonBody(body): JsonBody<BODY_BYTES_MAX>,
) -> Result<JsonText, ApiFailure> {
    chat.ban(&key, api::ban(&body)?).await?;
    Ok(JsonText(api::done()))
}

async fn unban(
    State(chat): State<Arc<Chat>>,
    Authorized(key): Authorized,
    RawQuery(query): RawQuery,
) -> Result<JsonText, ApiFailure> {
    chat.unban(&key, api::unban(&query.unwrap_or_default())?).await?;
    Ok(JsonText(api::done()))
}

async fn bans(
    State(chat): State<Arc<Chat>>,
    Authorized(key): Authorized,
    RawQuery(query): RawQuery,
) -> Result<JsonText, ApiFailure> {
    let question = api::bans_question(&query.unwrap_or_default())?;
    Ok(JsonText(api::bans(&chat.bans(&key, question).await?)))
}

async fn revoke(
    State(chat): State<Arc<Chat>>,
    Authorized(key): Authorized,
    JsonBody(body): JsonBody<BODY_BYTES_MAX>,
) -> Result<JsonText, ApiFailure> {
    chat.revoke(&key, api::revocation(&body)?).await?;
    Ok(JsonText(api::done()))
}

async fn end_revocation(
    State(chat): State<Arc<Chat>>,
    Authorized(key): Authorized,
    RawQuery(query): RawQuery,
) -> Result<JsonText, ApiFailure> {
    chat.end_revocation(&key, api::ended_revocation(&query.unwrap_or_default())?).await?;
    Ok(JsonText(api::done()))
}

async fn revocations(
    State(chat): State<Arc<Chat>>,
    Authorized(key): Authorized,
    RawQuery(query): RawQuery,
) -> Result<JsonText, ApiFailure> {
    let range = api::revocations_question(&query.unwrap_or_default())?;
    Ok(JsonText(api::revocations(&chat.revocations(&key, range)?)))
}
