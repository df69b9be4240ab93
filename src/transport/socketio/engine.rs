//! The engine: the configuration of socketioxide, and the requests to it.

use std::{convert::Infallible, time::Duration, vec};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, Iter};
use http::{HeaderValue, Method, Request, StatusCode, Uri, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{body::Frame, service::Service as _};
use socketioxide::{
    ParserConfig, SocketIo,
    service::SocketIoService,
    socket::{Sid, Socket as AnySocket},
};

use super::{
    event_names::MARKER_BYTES_MAX,
    payload::Payload,
    request::{EngineRejection, Version},
};
use crate::domain::Limits;

/// The socket of the engine: a connection to one namespace.
pub(super) type NamespaceSocket = AnySocket;

/// The engine's service. Clones are handles to the same engine.
pub(super) type Engine = SocketIoService<engineioxide::service::NotFoundService>;

/// The longest time from the first byte of a session to its first namespace. Past it the engine closes
/// the session. It keeps a session that ends before its first namespace for the same time.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);

/// The longest time from the header of a packet to the last of its attachments.
const ATTACHMENTS_WAIT_MAX: Duration = Duration::from_secs(30);

/// The places in the engine's queue, which holds its own packets only.
const ENGINE_PACKETS_MAX: usize = 64;

/// The read buffer of each WebSocket. The monitored stream reads more at once from a busy client.
const READ_BUFFER_BYTES: usize = 256;

/// A body for the engine: each part is a frame.
type EngineBody = StreamBody<Iter<vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

/// Builds the engine within `limits`.
pub(super) fn build(limits: &Limits) -> (Engine, SocketIo) {
    let frame_bytes_max = limits.frame_bytes_max.get();
    let parser = ParserConfig::common()
        .max_incoming_binaries(limits.attachments_max)
        .max_incoming_binary_buf_size(frame_bytes_max)
        .packet_completion_timeout(ATTACHMENTS_WAIT_MAX);
    SocketIo::builder()
        .with_parser(parser)
        .ping_interval(limits.ping_interval)
        .ping_timeout(limits.ping_timeout)
        .connect_timeout(CONNECT_WAIT_MAX)
        .max_buffer_size(ENGINE_PACKETS_MAX)
        .max_payload(frame_bytes_max as u64)
        .ws_max_frame_size(frame_bytes_max + MARKER_BYTES_MAX)
        .ws_max_message_size(frame_bytes_max + MARKER_BYTES_MAX)
        .ws_read_buffer_size(READ_BUFFER_BYTES)
        .build_svc()
}

/// The response of the engine to a polling request.
pub(super) struct EngineResponse {
    pub(super) content_type: Option<HeaderValue>,
    pub(super) body: Bytes,
}

/// Opens a polling session in the engine, which keeps the extensions of `request`.
pub(super) async fn open(
    engine: &Engine,
    version: Version,
    request: Request<()>,
) -> Result<EngineResponse, EngineRejection> {
    let (mut parts, ()) = request.into_parts();
    // All payloads of the engine are text, to which those of the session are added.
    let b64 = if version == Version::V3 { "&b64=1" } else { "" };
    parts.uri = uri(version, "polling", b64);
    call(engine, Request::from_parts(parts, body(Vec::new()))).await
}

/// Waits for the next packets of a polling session. Cancel-safe: the engine takes packets from its
/// queue in the same step in which it answers.
pub(super) async fn poll(
    engine: &Engine,
    version: Version,
    sid: Sid,
) -> Result<EngineResponse, EngineRejection> {
    let mut request = Request::new(body(Vec::new()));
    *request.uri_mut() = uri(version, "polling", &format!("&sid={sid}"));
    call(engine, request).await
}

/// Passes the parts of a payload to the engine.
pub(super) async fn post(
    engine: &Engine,
    version: Version,
    sid: Sid,
    payload: Payload,
) -> Result<EngineResponse, EngineRejection> {
    let mut request = Request::new(body(payload.parts));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri(version, "polling", &format!("&sid={sid}"));
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(payload.content_type));
    call(engine, request).await
}

/// The URI of a request to the engine.
pub(super) fn uri(version: Version, transport: &str, more: &str) -> Uri {
    let eio = version.number();
    format!("/socket.io/?EIO={eio}&transport={transport}{more}")
        .parse()
        .expect("numbers, words and session ids need no escape")
}

/// The URI of a session that begins on a WebSocket. The engine keeps it; a static one uses no memory.
pub(super) fn websocket_uri(version: Version) -> Uri {
    Uri::from_static(match version {
        Version::V3 => "/socket.io/?EIO=3&transport=websocket",
        Version::V4 => "/socket.io/?EIO=4&transport=websocket",
    })
}

fn body(parts: Vec<Bytes>) -> EngineBody {
    let frames: Vec<_> = parts.into_iter().map(|it| Ok(Frame::data(it))).collect();
    StreamBody::new(stream::iter(frames))
}

async fn call(
    engine: &Engine,
    request: Request<EngineBody>,
) -> Result<EngineResponse, EngineRejection> {
    let response = engine.call(request).await.unwrap_or_else(|never| match never {});
    let (mut parts, body) = response.into_parts();
    let body = body.collect().await.unwrap_or_else(|never| match never {}).to_bytes();
    match parts.status {
        StatusCode::OK => {
            let content_type = parts.headers.remove(CONTENT_TYPE);
            Ok(EngineResponse { content_type, body })
        }
        _ => Err(EngineRejection::from_engine_response(&body)),
    }
}

impl EngineResponse {
    /// The response to the client.
    pub(super) fn into_response(self) -> http::Response<Body> {
        let Self { content_type, body } = self;
        let mut response = http::Response::new(Body::from(body));
        if let Some(content_type) = content_type {
            response.headers_mut().insert(CONTENT_TYPE, content_type);
        }
        response
    }
}
