//! Why a request of a back end is not taken.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, StatusCode, header::ALLOW};

use super::json::JsonText;
use crate::{
    domain::Rejection,
    wire::{InvalidData, api},
};

pub(super) enum ApiFailure {
    Invalid(InvalidData),
    Rejected(Rejection),
}

impl From<InvalidData> for ApiFailure {
    fn from(invalid: InvalidData) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<Rejection> for ApiFailure {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl IntoResponse for ApiFailure {
    fn into_response(self) -> Response {
        match self {
            Self::Invalid(invalid) => {
                (StatusCode::BAD_REQUEST, JsonText(api::failure(&invalid))).into_response()
            }
            Self::Rejected(rejection) => rejection.into_response(),
        }
    }
}

/// The answer to other methods than these.
pub(super) fn method_not_allowed(methods: &'static str) -> Response {
    let allow: [(HeaderName, &str); 1] = [(ALLOW, methods)];
    let rejection = Rejection::BadRequest("the header Allow has the methods");
    (StatusCode::METHOD_NOT_ALLOWED, allow, rejection).into_response()
}
