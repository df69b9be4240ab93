//! The access log: a line for each request, with an id that the client receives, too.
//!
//! A line has the path without the query, which may have tokens and the ids of sessions, and no headers.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::body::Body;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use tokio::time::Instant;
use tracing::info;

use super::client_address::ClientAddress;
use crate::domain::ConnectionId;

/// The header with the id of a request, in both directions.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken from a client.
const REQUEST_ID_BYTES_MAX: usize = 64;
/// The longest part of a path that is logged.
const PATH_BYTES_MAX: usize = 256;

/// Logs requests, if the settings say so. Clones are handles.
#[derive(Clone, Debug)]
pub struct AccessLog(Option<Arc<RequestIds>>);

/// Makes ids for requests that have none: the name of the node, and a number.
#[derive(Debug)]
struct RequestIds {
    node: Box<str>,
    last: AtomicU64,
}

/// The mark of a request whose answer names its connections: those of a session, or the one that it
/// opens.
#[derive(Clone, Copy, Debug)]
struct NamesConnections;

/// The ids of the connections that a request belongs to, as `welcome` has them. An answer carries them.
#[derive(Clone, Debug)]
pub(super) struct ConnectionNames(Box<str>);

/// What the log says of a request when it was answered, or was given up.
#[derive(Debug)]
pub(super) struct LoggedRequest {
    method: Method,
    path: Box<str>,
    id: HeaderValue,
    address: ClientAddress,
    begun_at: Instant,
    status: Option<u16>,
    connections: Option<Box<str>>,
}

impl AccessLog {
    /// Logs nothing.
    pub fn off() -> Self {
        Self(None)
    }

    /// Logs the requests to the node with this name.
    pub fn of_node(node: &str) -> Self {
        Self(Some(Arc::new(RequestIds { node: node.into(), last: AtomicU64::new(0) })))
    }

    /// Begins to serve a request.
    pub(super) fn begin<B>(
        &self,
        request: &mut Request<B>,
        address: ClientAddress,
    ) -> Option<Box<LoggedRequest>> {
        let ids = self.0.as_ref()?;
        request.extensions_mut().insert(NamesConnections);
        let given = request.headers().get(REQUEST_ID).filter(|id| is_request_id(id));
        let path = request.uri().path();
        // A path of `http` is ASCII.
        let path = path.get(..PATH_BYTES_MAX).unwrap_or(path).into();
        Some(Box::new(LoggedRequest {
            method: request.method().clone(),
            path,
            id: given.cloned().unwrap_or_else(|| ids.next()),
            address,
            begun_at: Instant::now(),
            status: None,
            connections: None,
        }))
    }
}

impl ConnectionNames {
    /// These connections, if there are any.
    pub(super) fn of(connections: impl IntoIterator<Item = ConnectionId>) -> Option<Self> {
        let mut names = String::new();
        for connection in connections {
            let separator = if names.is_empty() { "" } else { "," };
            // Writing to a text does not fail.
            let _written = write!(names, "{separator}{connection}");
        }
        (!names.is_empty()).then(|| Self(names.into()))
    }

    /// Whether the answer to a request has to name its connections.
    pub(super) fn are_wanted<B>(request: &Request<B>) -> bool {
        request.extensions().get::<NamesConnections>().is_some()
    }

    /// Has an answer carry the names.
    pub(super) fn add_to<B>(self, response: &mut Response<B>) {
        response.extensions_mut().insert(self);
    }
}

impl RequestIds {
    fn next(&self) -> HeaderValue {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("{}.{number}", self.node);
        HeaderValue::from_str(&id).unwrap_or_else(|_invalid| HeaderValue::from(number))
    }
}

impl LoggedRequest {
    /// The request is answered with this.
    pub(super) fn answer(mut self, response: &mut Response<Body>) {
        response.headers_mut().insert(REQUEST_ID, self.id.clone());
        self.status = Some(response.status().as_u16());
        let names = response.extensions_mut().remove::<ConnectionNames>();
        self.connections = names.map(|it| it.0);
    }
}

impl Drop for LoggedRequest {
    /// Writes the line. A request without a status was given up by its client.
    fn drop(&mut self) {
        let latency_ms = u64::try_from(self.begun_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        info!(
            request.id = self.id.to_str().unwrap_or_default(),
            address = self.address.text().as_deref(),
            method = %self.method,
            path = &*self.path,
            status = self.status,
            connection.id = self.connections.as_deref(),
            latency_ms,
            "request"
        );
    }
}

/// Whether an id of a client is short, and of letters, digits, `-`, `_`, `.`, `:` and `/` alone.
fn is_request_id(id: &HeaderValue) -> bool {
    let is_plain = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'/')
    };
    let id = id.as_bytes();
    (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.iter().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_a_client_is_taken_if_it_is_plain() {
        for (id, is_taken) in [
            ("7b1c-0_a.b:c/d", true),
            (&*"x".repeat(64), true),
            ("", false),
            (&*"x".repeat(65), false),
            ("a b", false),
            ("a\"b", false),
        ] {
            assert_eq!(is_request_id(&HeaderValue::from_str(id).unwrap()), is_taken, "{id}");
        }
    }

    #[test]
    fn connections_are_named_by_the_ids_of_their_clients() {
        let names = |numbers: &[u64]| {
            let ids = numbers.iter().copied().map(ConnectionId::from_raw);
            ConnectionNames::of(ids).map(|it| it.0)
        };
        assert_eq!(names(&[]), None);
        assert_eq!(names(&[1, 26]).as_deref(), Some("c1,c1a"));
    }

    #[test]
    fn each_request_has_an_id_of_its_own() {
        let ids = RequestIds { node: "n1".into(), last: AtomicU64::new(0) };
        assert_eq!([ids.next(), ids.next()], ["n1.1", "n1.2"]);
    }
}
