//! Refusals over HTTP.

use std::time::Duration;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};

use crate::{
    domain::{KeyRejection, Rejection},
    wire::{code, rejection_object},
};

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        rejection_response(&self)
    }
}

/// The answer to a request that is refused: the code's status, `{code, message}` as JSON.
pub(super) fn rejection_response(rejection: &Rejection) -> Response {
    let mut response = Response::new(Body::from(rejection_object(rejection)));
    *response.status_mut() = code::rejection(rejection).status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if matches!(
        rejection,
        Rejection::Unauthorized
            | Rejection::TokenExpired
            | Rejection::TokenRequired
            | Rejection::Key(KeyRejection::Unknown)
    ) {
        let challenge = HeaderValue::from_static("Bearer realm=\"roomcast\"");
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    if *rejection == Rejection::EncodingUnsupported {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    match rejection {
        Rejection::TooFast { retry_after } => {
            headers.insert(header::RETRY_AFTER, in_seconds(*retry_after));
        }
        // Another node accepts the request, or the replacement of this one.
        Rejection::Draining => {
            headers.insert(header::RETRY_AFTER, in_seconds(code::RETURN_AFTER));
        }
        _ => (),
    }
    response
}

/// The value of `Retry-After`. It is rounded up, so that a retry after this time is not refused again.
pub(super) fn in_seconds(wait: Duration) -> HeaderValue {
    let seconds = wait.as_millis().div_ceil(1000).max(1);
    HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX))
}
