//! The POST of a polling session, which brings packets of its client.
//!
//! The size of a body is limited before it is read, and its packets are counted before they are
//! parsed. One POST of a session is in progress at a time. It waits while the inboxes of the session
//! are full.
//!
//! As for the official server, the answer to packets that break a protocol is that to all others. A
//! client that polls then learns of the end from the protocol that they break.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};

use super::{
    SocketIoTransport,
    engine::{self, EngineResponse},
    packet_check::{CheckedPayload, PacketCheck, Protocol},
    payload::{self, Payload, PayloadError, PayloadFormat},
    polling_requests::{PostGuard, RequestInProgress},
    request::{EngineRejection, Parser},
    session::{ClosePhase, EngineSession},
};
use crate::domain::CloseReason;

impl SocketIoTransport {
    /// Passes the packets of the client to the engine.
    pub(super) async fn post(
        &self,
        session: &Arc<EngineSession>,
        request: Request<Body>,
    ) -> Result<Response<Body>, EngineRejection> {
        let _in_progress = RequestInProgress::begin(session);
        let Some(guard) = PostGuard::acquire(session) else {
            session.abort();
            return Err(EngineRejection::BadRequest);
        };
        let answer = receive(session, request).await;
        guard.answered();
        answer.map(|()| EngineResponse::ok().into_response())
    }
}

/// Reads the packets of a POST and passes them to the engine.
async fn receive(
    session: &Arc<EngineSession>,
    request: Request<Body>,
) -> Result<(), EngineRejection> {
    let (head, body) = request.into_parts();
    let format =
        PayloadFormat::of(session.version(), &head.headers).inspect_err(|_| session.abort())?;
    drop(head);
    let body = read(session, body).await?;
    let packets_max = session.limits().inbox_requests_max.get();
    let payload = match payload::split(format, body, packets_max) {
        Ok(payload) => payload,
        Err(PayloadError::Malformed) => {
            session.abort();
            return Ok(());
        }
        Err(PayloadError::TooManyPackets) => {
            session.close(CloseReason::Flood);
            return Err(EngineRejection::TooManyPackets);
        }
    };
    if session.parser() == Parser::Json
        && session.with_polling(|it| it.is_first_post()) == Some(true)
        && let Some(refusal) = payload::refuse_parser(format, &payload, session.limits())
    {
        session.refuse_parser(refusal);
        return Ok(());
    }
    let mut packets = PacketCheck::new(session.version());
    let CheckedPayload { payload, refused } = match session.parser() {
        Parser::Json => packets.check_payload(format, payload, &**session),
        Parser::MsgPack => packets.check_packed_payload(payload, session.limits(), &**session),
    };
    let limit = session.limits().frame_bytes_max.get();
    if payload.parts.iter().map(Bytes::len).sum::<usize>() > limit {
        session.close(CloseReason::FrameTooLarge { limit });
        return Err(EngineRejection::TooLarge { limit });
    }
    session.wait_for_request_capacity(payload.packets).await;
    // An error would end the client's polling before it receives `closing`.
    if session.close_phase() >= ClosePhase::Notifying {
        return Ok(());
    }
    pass(session, payload).await?;
    match refused {
        None => {}
        Some(Protocol::EngineIo) => session.abort(),
        Some(Protocol::SocketIo) => session.refuse_packet(),
    }
    Ok(())
}

/// Reads a body within the limits.
async fn read(session: &Arc<EngineSession>, body: Body) -> Result<Bytes, EngineRejection> {
    let body = tokio::select! {
        body = payload::read_body(body, session.limits()) => body,
        () = session.wait_aborted() => Err(EngineRejection::SessionUnknown),
    };
    let body = body.inspect(|it| session.writer().traffic().received(it.len()));
    body.inspect_err(|rejection| match *rejection {
        EngineRejection::TooLarge { limit } => {
            session.close(CloseReason::FrameTooLarge { limit });
        }
        EngineRejection::BadRequest => session.abort(),
        _ => {}
    })
}

/// Passes packets to the engine.
async fn pass(session: &Arc<EngineSession>, payload: Payload) -> Result<(), EngineRejection> {
    if payload.packets == 0 {
        return Ok(());
    }
    let sid = session.sid().ok_or(EngineRejection::SessionUnknown)?;
    match engine::post(session.engine(), session.version(), sid, payload).await {
        // The engine has dropped the packets after one that breaks the protocol.
        Err(EngineRejection::BadRequest) if session.is_polling() => session.abort(),
        answer => drop(answer?),
    }
    session.await_engine();
    Ok(())
}

impl EngineResponse {
    /// The response to a payload.
    fn ok() -> Self {
        let content_type = HeaderValue::from_static("text/html");
        Self { content_type: Some(content_type), body: Bytes::from_static(b"ok") }
    }
}
