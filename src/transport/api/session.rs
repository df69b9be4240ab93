//! `/api/session`: sign-ins for pages, carried by a cookie.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::SET_COOKIE};

use super::{
    METHODS,
    failure::method_not_allowed,
    json::{JsonBody, JsonOrForm, JsonText},
};
use crate::{
    chat::{Chat, Credential, SignedIn},
    domain::{Rejection, Space, Token},
    transport::cookie,
    wire::{
        self,
        api::{Operation, PayloadSchema},
        contract::AnswerPayload,
    },
};

/// The largest body: twice the longest token, with something around it.
const BODY_BYTES_MAX: usize = 20 << 10;
/// The profile of a browser without a session.
const NO_SESSION: &str = "null";

/// Sign in, profile and sign out. Without its own handler, `HEAD` would be answered like `GET`.
pub(super) fn methods() -> MethodRouter<Arc<Chat>> {
    let no_method = async || method_not_allowed(METHODS);
    get(get_profile).head(no_method).post(sign_in).delete(sign_out).fallback(no_method)
}

/// Sign in by form, or by JSON as at `/api/session`.
pub(super) fn form_sign_in() -> MethodRouter<Arc<Chat>> {
    post(sign_in_by_form).fallback(async || method_not_allowed("POST, OPTIONS"))
}

/// Sign out by following a link.
pub(super) fn link_sign_out() -> MethodRouter<Arc<Chat>> {
    let no_method = async || method_not_allowed("GET, OPTIONS");
    get(sign_out).head(no_method).fallback(no_method)
}

/// The methods, as `/api/openapi.json` describes them.
pub(super) fn operations() -> Vec<Operation> {
    const PATH: &str = "/api/session";
    let refused = [Rejection::Unauthorized, Rejection::TokenExpired, Rejection::OriginForbidden];
    let sign_in = |path, summary| {
        Operation::post(path, summary)
            .body(PayloadSchema::sign_in())
            .answers("The identity.", PayloadSchema::answer(AnswerPayload::SignedIn))
            .refuses(&refused)
            .refuses(&[
                Rejection::BadRequest(""),
                Rejection::Draining,
                Rejection::Unavailable,
                Rejection::TokenRequired,
                Rejection::SpaceForbidden,
                Rejection::UnknownSpace,
                Rejection::NameTaken,
                Rejection::NameInvalid,
            ])
    };
    vec![
        Operation::get(PATH, "Who is signed in, by the cookie")
            .answers("The identity, or `null`.", PayloadSchema::answer(AnswerPayload::Profile))
            .refuses(&refused),
        sign_in(PATH, "Sign in, which sets the cookie"),
        sign_in("/wsin", "The same by JSON or form, with `form_sign_in`"),
        Operation::get("/wsout", "Sign out by a link, with `form_sign_in`")
            .answers_nothing("The session has ended.")
            .refuses(&[Rejection::OriginForbidden]),
        Operation::delete(PATH, "Sign out, which clears the cookie")
            .answers_nothing("The session has ended.")
            .refuses(&[Rejection::OriginForbidden]),
    ]
}

/// Returns the profile of the signed-in user, and `null` without a session: browsers log 401 as an
/// error. A cookie that is not valid any more is cleared.
async fn get_profile(
    State(chat): State<Arc<Chat>>,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    let Some(token) = cookie::find(&headers).transpose() else {
        return Ok(JsonText(NO_SESSION.to_owned()).into_response());
    };
    Ok(match profile(&chat, token).await {
        Ok(profile) => JsonText(profile).into_response(),
        Err(rejection) => (set_cookie(cookie::clear(&headers)), rejection).into_response(),
    })
}

async fn profile(chat: &Chat, token: Result<Token, Rejection>) -> Result<String, Rejection> {
    Ok(wire::profile(&chat.profile(&token?).await?))
}

async fn sign_in(
    State(chat): State<Arc<Chat>>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<BODY_BYTES_MAX>,
) -> Result<impl IntoResponse, Rejection> {
    start_session(&chat, &headers, wire::sign_in(&body)?).await
}

async fn sign_in_by_form(
    State(chat): State<Arc<Chat>>,
    headers: HeaderMap,
    body: JsonOrForm<BODY_BYTES_MAX>,
) -> Result<impl IntoResponse, Rejection> {
    let sign_in = match body {
        JsonOrForm::Json(body) => wire::sign_in(&body)?,
        JsonOrForm::Form(body) => wire::sign_in_form(&body)?,
    };
    start_session(&chat, &headers, sign_in).await
}

async fn start_session(
    chat: &Arc<Chat>,
    headers: &HeaderMap,
    (space, credential): (Space, Credential),
) -> Result<impl IntoResponse + use<>, Rejection> {
    let SignedIn { token, seconds, profile } = chat.sign_in(&space, credential).await?;
    let cookie = cookie::set(&token, seconds, headers);
    Ok((set_cookie(cookie), JsonText(wire::profile(&profile))))
}

/// Ends the sign-in and clears the cookie, whatever its value.
async fn sign_out(
    State(chat): State<Arc<Chat>>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Rejection> {
    for token in cookie::all(&headers).into_iter().flatten() {
        chat.sign_out(&token).await?;
    }
    Ok((StatusCode::NO_CONTENT, set_cookie(cookie::clear(&headers))))
}

fn set_cookie(cookie: HeaderValue) -> [(HeaderName, HeaderValue); 1] {
    [(SET_COOKIE, cookie)]
}
