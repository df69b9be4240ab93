//! A signed request: the headers of the Standard Webhooks specification.

use std::error::Error;

use reqwest::{Client, RequestBuilder, header::CONTENT_TYPE};

use super::signature::{SigningSecret, signatures};
use crate::chat::ports::{BackendFailure, current_span};

/// A POST of JSON with this id. `timestamp` is in seconds since 1970. Without secrets, it has no
/// signature. What is sampled has the header `traceparent`.
pub(super) fn signed_post(
    (client, url): (&Client, &str),
    secrets: &[SigningSecret],
    (id, timestamp): (&str, i64),
    body: String,
) -> RequestBuilder {
    let mut request = client
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp);
    if !secrets.is_empty() {
        let signature = signatures(secrets, id, timestamp, &body);
        request = request.header("webhook-signature", signature);
    }
    if let Some(span) = current_span() {
        request = request.header("traceparent", span.traceparent());
    }
    request.body(body)
}

/// A failure in the words of its last cause.
pub(super) fn unreachable(error: &(dyn Error + 'static)) -> BackendFailure {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    BackendFailure::Unreachable(cause.to_string())
}
