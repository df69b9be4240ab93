//! `/api/session`: sign-ins for pages, carried by a cookie.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::SET_COOKIE};

use super::{
    METHODS,
    failure::method_not_allowed,
    json::{JsonBody, JsonText},
};
use crate::{
    chat::{Chat, SignedIn},
    domain::{Rejection, Token},
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

/// The methods, as `/api/openapi.json` describes them.
pub(super) fn operations() -> Vec<Operation> {
    const PATH: &str = "/api/session";
    let refused = [Rejection::Unauthorized, Rejection::TokenExpired, Rejection::OriginForbidden];
    let answer = PayloadSchema::answer;
    vec![
        Operation::get(PATH, "Who is signed in, by the cookie")
            .answers("The identity, or `null`.", answer(AnswerPayload::Profile))
            .refuses(&refused),
        Operation::post(PATH, "Sign in, which sets the cookie")
            .body(PayloadSchema::sign_in())
            .answers("The identity.", answer(AnswerPayload::SignedIn))
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
            ]),
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
    let (space, credential) = wire::sign_in(&body)?;
    let SignedIn { token, seconds, profile } = chat.sign_in(&space, credential).await?;
    let cookie = cookie::set(&token, seconds, &headers);
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
