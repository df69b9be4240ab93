//! JSON in and out of the API. Its texts are parsed and written by `wire`.

use std::sync::Arc;

use axum::{
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};

use crate::{
    chat::Chat,
    domain::Rejection,
    transport::body::{self, BodyError},
};

const FORM: &str = "application/x-www-form-urlencoded";

const NOT_JSON: Rejection = Rejection::BadRequest("the body is JSON, and its content type says so");

/// The body of a request that declares JSON, complete and of at most this many bytes.
///
/// The body is read here rather than below a limiting layer, which would answer before the content
/// type is checked, and without a code.
pub(super) struct JsonBody<const BYTES_MAX: usize>(pub(super) Bytes);

impl<const BYTES_MAX: usize> FromRequest<Arc<Chat>> for JsonBody<BYTES_MAX> {
    type Rejection = Rejection;

    async fn from_request(request: Request, chat: &Arc<Chat>) -> Result<Self, Rejection> {
        check_encoding(request.headers())?;
        if !is_json(request.headers()) {
            return Err(NOT_JSON);
        }
        read(request, chat, BYTES_MAX).await.map(Self)
    }
}

/// The same, where a request without a body means something, too: it is empty then.
pub(super) struct OptionalJsonBody<const BYTES_MAX: usize>(pub(super) Bytes);

impl<const BYTES_MAX: usize> FromRequest<Arc<Chat>> for OptionalJsonBody<BYTES_MAX> {
    type Rejection = Rejection;

    async fn from_request(request: Request, chat: &Arc<Chat>) -> Result<Self, Rejection> {
        check_encoding(request.headers())?;
        let is_json = is_json(request.headers());
        let body = read(request, chat, BYTES_MAX).await?;
        if is_json || body.is_empty() { Ok(Self(body)) } else { Err(NOT_JSON) }
    }
}

/// The same, or a form.
pub(super) enum JsonOrForm<const BYTES_MAX: usize> {
    Json(Bytes),
    Form(Bytes),
}

impl<const BYTES_MAX: usize> FromRequest<Arc<Chat>> for JsonOrForm<BYTES_MAX> {
    type Rejection = Rejection;

    async fn from_request(request: Request, chat: &Arc<Chat>) -> Result<Self, Rejection> {
        if !has_type(request.headers(), FORM) {
            let JsonBody(body) = JsonBody::<BYTES_MAX>::from_request(request, chat).await?;
            return Ok(Self::Json(body));
        }
        check_encoding(request.headers())?;
        read(request, chat, BYTES_MAX).await.map(Self::Form)
    }
}

async fn read(request: Request, chat: &Chat, bytes_max: usize) -> Result<Bytes, Rejection> {
    let wait_max = chat.limits().request_body_wait_max;
    let body = body::read(request.into_body(), bytes_max, wait_max).await;
    body.map_err(|error| match error {
        BodyError::TooLarge => Rejection::MessageTooLarge,
        BodyError::TooSlow | BodyError::BadRequest => {
            Rejection::BadRequest("the body did not arrive")
        }
    })
}

/// Bodies are not decompressed: a small one could become a large one.
fn check_encoding(headers: &HeaderMap) -> Result<(), Rejection> {
    let is_identity =
        |it: &HeaderValue| it.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().all(is_identity) {
        Ok(())
    } else {
        Err(Rejection::EncodingUnsupported)
    }
}

/// Whether the body is declared as JSON. Browsers send bodies of other types without a preflight.
fn is_json(headers: &HeaderMap) -> bool {
    has_type(headers, "application/json")
}

fn has_type(headers: &HeaderMap, wanted: &str) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case(wanted)
}

/// An answer with the JSON text that `wire` wrote.
pub(super) struct JsonText(pub(super) String);

impl IntoResponse for JsonText {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}
