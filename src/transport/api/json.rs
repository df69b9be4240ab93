//! JSON in and out of the API. Its texts are parsed and written by `wire`.

use std::sync::Arc;

use axum::{
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, header::CONTENT_TYPE};

use crate::{
    chat::Chat,
    domain::Rejection,
    transport::body::{self, BodyError},
};

/// The body of a request that declares JSON, complete and of at most this many bytes.
///
/// The body is read here rather than below a limiting layer, which would answer before the content
/// type is checked, and without a code.
pub(super) struct JsonBody<const BYTES_MAX: usize>(pub(super) Bytes);

impl<const BYTES_MAX: usize> FromRequest<Arc<Chat>> for JsonBody<BYTES_MAX> {
    type Rejection = Rejection;

    async fn from_request(request: Request, chat: &Arc<Chat>) -> Result<Self, Rejection> {
        if !is_json(request.headers()) {
            return Err(Rejection::BadRequest("the body is JSON, and its content type says so"));
        }
        let wait_max = chat.limits().request_body_wait_max;
        match body::read(request.into_body(), BYTES_MAX, wait_max).await {
            Ok(body) => Ok(Self(body)),
            Err(BodyError::TooLarge) => Err(Rejection::MessageTooLarge),
            Err(BodyError::TooSlow | BodyError::BadRequest) => {
                Err(Rejection::BadRequest("the body did not arrive"))
            }
        }
    }
}

/// Whether the body is declared as JSON. Browsers send bodies of other types without a preflight.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

/// An answer with the JSON text that `wire` wrote.
pub(super) struct JsonText(pub(super) String);

impl IntoResponse for JsonText {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}
