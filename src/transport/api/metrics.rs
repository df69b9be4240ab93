//! `/metrics`, for Prometheus. docs/metrics.md has the names.

use std::{fmt, sync::Arc};

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use http::header::CONTENT_TYPE;

use super::{ApiPort, failure::method_not_allowed, key::Authorized};
use crate::{chat::Chat, domain::Rejection, wire::api::Operation};

/// OpenMetrics 1.0, which Prometheus has read since 2.5.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Writes the metrics of this process.
#[derive(Clone)]
pub struct MetricsSource(Arc<dyn Fn() -> String + Send + Sync>);

impl MetricsSource {
    /// What this function writes, in the text form of OpenMetrics.
    pub fn new(write: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }

    fn response(&self) -> Response {
        ([(CONTENT_TYPE, OPENMETRICS)], (self.0)()).into_response()
    }
}

impl fmt::Debug for MetricsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricsSource")
    }
}

/// The route. At the address of clients it needs a key for all spaces with the scope `read`; at an
/// address of its own it is as open as that address.
pub(super) fn routes(source: MetricsSource, port: ApiPort) -> Router<Arc<Chat>> {
    Router::new().route("/metrics", method(source, port))
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/metrics", "The metrics of this node")
            .answers_text("For Prometheus: OpenMetrics 1.0.", OPENMETRICS),
    ]
}

fn method(source: MetricsSource, port: ApiPort) -> MethodRouter<Arc<Chat>> {
    let for_key = {
        let source = source.clone();
        async move |State(chat): State<Arc<Chat>>, Authorized(key): Authorized| {
            chat.check_may_observe(&key)?;
            Ok::<_, Rejection>(source.response())
        }
    };
    let method = match port {
        ApiPort::OfClients => get(for_key),
        ApiPort::Own => get(async move || source.response()),
    };
    method.fallback(async || method_not_allowed("GET, HEAD"))
}
