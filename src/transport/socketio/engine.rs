//! The engine: socketioxide as we set it up, and how we speak to it over HTTP.

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
    payload::Payload,
    request::{EngineRejection, Version},
};
use crate::domain::Limits;

/// A connection to one namespace, as the engine sees it.
pub(super) type NamespaceSocket = AnySocket;

/// The engine's service. Clones are handles to the same engine.
pub(super) type Engine = SocketIoService<engineioxide::service::NotFoundService>;

/// From the first byte of a connection to its first namespace. Past it the connection is closed. The
/// engine keeps every connection for so long that ends before its first namespace.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);

/// From the head of a packet with attachments to the last of these.
const ATTACHMENTS_WAIT_MAX: Duration = Duration::from_secs(30);

/// Byte strings in one packet. Official clients refuse packets with more, and so do we.
const ATTACHMENTS_MAX: usize = 64;

/// Places in the engine's queue for its own packets, beside those for events.
const ENGINE_PACKETS_MAX: usize = 64;

/// Every WebSocket pins a read buffer of this size. The guard reads more at once when there is more.
const READ_BUFFER_BYTES: usize = 256;

/// A body for the engine: each part arrives on its own.
type EngineBody = StreamBody<Iter<vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

/// Builds the engine within `limits`.
pub(super) fn build(limits: &Limits) -> (Engine, SocketIo) {
    let frame_bytes_max = limits.frame_bytes_max.get();
    let parser = ParserConfig::common()
        .max_incoming_binaries(ATTACHMENTS_MAX)
        .max_incoming_binary_buf_size(frame_bytes_max)
        .packet_completion_timeout(ATTACHMENTS_WAIT_MAX);
    SocketIo::builder()
        .with_parser(parser)
        .ping_interval(limits.ping_interval)
        .ping_timeout(limits.ping_timeout)
        .connect_timeout(CONNECT_WAIT_MAX)
        .max_buffer_size(limits.outbox_events_max.get() + ENGINE_PACKETS_MAX)
        .max_payload(frame_bytes_max as u64)
        .ws_max_frame_size(frame_bytes_max)
        .ws_max_message_size(frame_bytes_max)
        .ws_read_buffer_size(READ_BUFFER_BYTES)
        .build_svc()
}

/// What the engine answers to a polling request.
pub(super) struct EngineResponse {
    pub(super) content_type: Option<HeaderValue>,
    pub(super) body: Bytes,
}

/// Asks the engine to open a polling session. What `request` carries stays with the session.
pub(super) async fn open(
    engine: &Engine,
    version: Version,
    request: Request<()>,
) -> Result<EngineResponse, EngineRejection> {
    let (mut parts, ()) = request.into_parts();
    // Text alone for the clients of old: what the engine makes of binary payloads is wrong.
    let b64 = if version == Version::V3 { "&b64=1" } else { "" };
    parts.uri = uri(version, "polling", b64);
    call(engine, Request::from_parts(parts, body(Vec::new()))).await
}

/// Waits for what a polling session has to say. Dropping the future loses nothing: the engine takes
/// a packet from its queue in the same step in which it answers.
pub(super) async fn poll(
    engine: &Engine,
    version: Version,
    sid: Sid,
) -> Result<EngineResponse, EngineRejection> {
    let mut request = Request::new(body(Vec::new()));
    *request.uri_mut() = uri(version, "polling", &format!("&sid={sid}"));
    call(engine, request).await
}

/// Hands the parts of a polling session's payload to the engine.
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

/// The address of a session as the engine reads it.
pub(super) fn uri(version: Version, transport: &str, more: &str) -> Uri {
    let eio = version.number();
    format!("/socket.io/?EIO={eio}&transport={transport}{more}")
        .parse()
        .expect("numbers, words and session ids are plain characters")
}

/// The address of a session that begins on a WebSocket. It is kept with the session, and costs nothing.
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
    /// The answer for the client.
    pub(super) fn into_response(self) -> http::Response<Body> {
        let Self { content_type, body } = self;
        let mut response = http::Response::new(Body::from(body));
        if let Some(content_type) = content_type {
            response.headers_mut().insert(CONTENT_TYPE, content_type);
        }
        response
    }
}
