//! The requests of polling sessions: open, poll and post.
//!
//! The size of a body is limited before it is read, and its packets are counted before they are
//! parsed. One POST of a session is in progress at a time. It waits while the inboxes of the session
//! are full.
//!
//! A request that its client breaks off ends the session: official clients do not poll again after
//! it, and what a POST had may be lost.

use std::{mem, sync::Arc};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{FutureExt as _, future::OptionFuture};
use http::{Request, Response};
use serde::Deserialize;
use socketioxide::socket::Sid;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    SocketIoTransport,
    engine::{self, EngineResponse},
    event_names,
    payload::{self, PayloadError, PayloadFormat},
    poll_payload::{self, PollPayload},
    polling_state::PollingState,
    request::{EngineRejection, SessionKey, Version},
    session::{ClosePhase, EngineSession, Handshake},
};
use crate::{domain::CloseReason, transport::lanes::LaneWriter};

/// Counts a POST of the session as in progress until it is dropped.
struct RequestInProgress<'a>(&'a EngineSession);

impl<'a> RequestInProgress<'a> {
    fn begin(session: &'a EngineSession) -> Self {
        session.with_polling(PollingState::begin_request);
        Self(session)
    }
}

impl Drop for RequestInProgress<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        self.0.with_polling(|it| it.end_request(now));
    }
}

/// The right to post. It exists once at a time. Dropping it before the POST has an answer ends the
/// session.
struct PostGuard<'a> {
    session: &'a Arc<EngineSession>,
    is_answered: bool,
}

impl<'a> PostGuard<'a> {
    fn acquire(session: &'a Arc<EngineSession>) -> Option<Self> {
        let is_free = session.with_polling(PollingState::begin_post).unwrap_or(false);
        is_free.then(|| Self { session, is_answered: false })
    }
}

impl Drop for PostGuard<'_> {
    fn drop(&mut self) {
        self.session.with_polling(PollingState::end_post);
        if !self.is_answered && self.session.is_polling() {
            self.session.abort();
        }
    }
}

/// Counts a poll as in progress until it is dropped, and as waiting until its answer is made. Dropping
/// it while it waits ends the session.
struct PollInProgress<'a> {
    session: &'a Arc<EngineSession>,
    is_waiting: bool,
}

impl<'a> PollInProgress<'a> {
    fn begin(session: &'a Arc<EngineSession>) -> Self {
        session.begin_poll();
        Self { session, is_waiting: true }
    }

    fn end_wait(&mut self) {
        if mem::replace(&mut self.is_waiting, false) {
            self.session.with_polling(PollingState::end_poll);
        }
    }
}

impl Drop for PollInProgress<'_> {
    fn drop(&mut self) {
        let is_broken_off = self.is_waiting;
        self.end_wait();
        let now = Instant::now();
        self.session.with_polling(|it| it.end_request(now));
        if is_broken_off && self.session.is_polling() {
            self.session.abort();
        }
    }
}

/// How the wait of a poll ends.
enum PollEnd {
    /// There are frames, or the session has ended.
    Frames,
    /// The engine has packets, or the client has to poll again.
    Engine(EngineResponse),
    /// The client is refused with this payload.
    Refused(Bytes),
}

impl SocketIoTransport {
    /// Finds a session that polling carries, and that began with the same version.
    pub(super) fn find_polling_session(
        &self,
        key: SessionKey,
    ) -> Result<Arc<EngineSession>, EngineRejection> {
        let session = self.context.registry.find(key.sid).ok_or(EngineRejection::SessionUnknown)?;
        if session.is_polling() && session.version() == key.version {
            Ok(session)
        } else {
            Err(EngineRejection::BadRequest)
        }
    }

    /// Opens a session.
    pub(super) async fn open(
        &self,
        handshake: Handshake,
    ) -> Result<Response<Body>, EngineRejection> {
        let version = handshake.version;
        let polling = Some(Box::new(PollingState::new(Instant::now())));
        let session = self.create_session(handshake, polling);
        let mut request = Request::new(());
        request.extensions_mut().insert(Arc::clone(&session));
        let answer = engine::open(&self.resources.engine, version, request).await?;
        session.set_sid(sid_of(&answer.body).ok_or(EngineRejection::BadRequest)?);
        // A close in the meantime had no session id to close the session in the engine.
        if session.close_phase() >= ClosePhase::Closing {
            session.end_in_engine().await;
        }
        Ok(answer.into_response())
    }

    /// Answers with the next packets for the client, once there are any.
    pub(super) async fn poll(&self, key: SessionKey) -> Result<Response<Body>, EngineRejection> {
        let session = &self.find_polling_session(key)?;
        let SessionKey { sid, version } = key;
        let mut in_progress = PollInProgress::begin(session);
        let writer = Some(session.writer()).filter(|it| !it.has_ended());
        let end = match wait_for_frames(session).await {
            Some(end) => Ok(end),
            // In a box: most polls end before.
            None => Box::pin(wait_for_packets(session, sid, writer)).await,
        };
        // Before anything is taken: the next poll proves that the client received it.
        in_progress.end_wait();
        let end = end?;
        if let PollEnd::Refused(refusal) = end {
            if session.close_phase() >= ClosePhase::Closing {
                return Err(EngineRejection::SessionUnknown);
            }
            session.finish(CloseReason::Fault);
            return Ok(EngineResponse::text(refusal).into_response());
        }
        let frames = session.writer().take(session.limits().frame_bytes_max.get());
        let engine_answer = match end {
            PollEnd::Engine(answer) => Some(answer),
            _ if frames.is_empty() => Some(EngineResponse::text(close_packet(version))),
            _ => poll_engine_now(session, sid),
        };
        let Some(mut answer) = engine_answer else {
            let payload = poll_payload::of_frames(version, &frames);
            return Ok(EngineResponse::text(payload).into_response());
        };
        if answer.body.is_empty() {
            answer.body = close_packet(version);
        }
        let mut payload = PollPayload::new(version, &frames);
        let packets = || payload::packets(version, &answer.body);
        packets().for_each(|it| session.on_engine_packet(it));
        if packets().all(|it| session.replacement(it).is_none()) {
            payload.append(&answer.body);
        } else {
            for packet in packets() {
                let replaced = session.replacement(packet);
                payload.push_text(replaced.as_deref().unwrap_or(packet).as_bytes());
            }
        }
        Ok(EngineResponse::text(payload.into_bytes()).into_response())
    }

    /// Passes the packets of the client to the engine.
    pub(super) async fn post(
        &self,
        session: &Arc<EngineSession>,
        request: Request<Body>,
    ) -> Result<Response<Body>, EngineRejection> {
        let _in_progress = RequestInProgress::begin(session);
        let Some(mut guard) = PostGuard::acquire(session) else {
            session.abort();
            return Err(EngineRejection::BadRequest);
        };
        let answer = receive(session, request).await;
        guard.is_answered = true;
        answer.map(|()| EngineResponse::ok().into_response())
    }
}

/// Reads the packets of a POST and passes them to the engine.
async fn receive(
    session: &Arc<EngineSession>,
    request: Request<Body>,
) -> Result<(), EngineRejection> {
    let sid = sid(session)?;
    let (head, body) = request.into_parts();
    let format =
        PayloadFormat::of(session.version(), &head.headers).inspect_err(|_| session.abort())?;
    drop(head);
    let body = tokio::select! {
        body = payload::read_body(body, session.limits()) => body,
        () = session.wait_aborted() => Err(EngineRejection::SessionUnknown),
    };
    let body = body.inspect_err(|rejection| match *rejection {
        EngineRejection::TooLarge { limit } => {
            session.close(CloseReason::FrameTooLarge { limit });
        }
        EngineRejection::BadRequest => session.abort(),
        _ => {}
    })?;
    let packets_max = session.limits().inbox_requests_max.get();
    let payload = payload::split(format, body, packets_max).map_err(|error| match error {
        PayloadError::Malformed => {
            session.abort();
            EngineRejection::BadRequest
        }
        PayloadError::TooManyPackets => {
            session.close(CloseReason::Flood);
            EngineRejection::TooManyPackets
        }
    })?;
    if payload::has_server_heartbeat(format, &payload) {
        session.abort();
        return Err(EngineRejection::BadRequest);
    }
    if session.with_polling(|it| it.is_first_post()) == Some(true)
        && let Some(refusal) = payload::refuse_parser(format, &payload)
    {
        session.refuse_polling(refusal);
        return Ok(());
    }
    let payload = event_names::mark_payload(format, payload);
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
    let answer = engine::post(session.engine(), session.version(), sid, payload).await;
    answer.inspect_err(|_| {
        // A packet that clients do not send: the engine has dropped those after it.
        if session.is_polling() {
            session.abort();
        }
    })?;
    session.await_engine();
    Ok(())
}

/// Waits for frames alone, while no packet of the engine is expected: its poll costs as much as the
/// rest of an answer. Returns `None` if more has to be waited for.
async fn wait_for_frames(session: &EngineSession) -> Option<PollEnd> {
    let engine_due = session.engine_poll_due()?;
    tokio::select! {
        biased;
        () = session.writer().filled() => Some(PollEnd::Frames),
        () = session.wait_poll_attention() => None,
        () = sleep_until(engine_due) => None,
    }
}

/// Waits for all that ends a poll. `writer` is that of the session, unless it had ended before: then
/// the engine answers.
async fn wait_for_packets(
    session: &EngineSession,
    sid: Sid,
    writer: Option<&Arc<LaneWriter>>,
) -> Result<PollEnd, EngineRejection> {
    let filled = OptionFuture::from(writer.map(|it| it.filled()));
    Ok(tokio::select! {
        biased;
        refusal = session.wait_refused() => PollEnd::Refused(refusal),
        Some(()) = filled => PollEnd::Frames,
        answer = engine::poll(session.engine(), session.version(), sid) => {
            PollEnd::Engine(answer?)
        }
        () = wait_for_noop(session) => PollEnd::Engine(EngineResponse::noop(session.version())),
    })
}

/// The packets of the engine, if there are any now and it is time to ask: a poll that is answered
/// with events passes the engine by.
fn poll_engine_now(session: &EngineSession, sid: Sid) -> Option<EngineResponse> {
    if !session.take_engine_poll() {
        return None;
    }
    engine::poll(session.engine(), session.version(), sid).now_or_never()?.ok()
}

/// Waits until the pending poll of the client has to be answered so that it can upgrade.
async fn wait_for_noop(session: &EngineSession) {
    loop {
        session.wait_switching().await;
        let Some(delay) = session.with_polling(|it| it.noop_delay()) else { return };
        sleep(delay).await;
        if session.with_polling(PollingState::take_noop).unwrap_or(false) {
            return;
        }
    }
}

/// The id of a session that began with polling.
fn sid(session: &EngineSession) -> Result<Sid, EngineRejection> {
    session.sid().ok_or(EngineRejection::SessionUnknown)
}

/// The session id in the open packet of the engine. In version 3 the length precedes the packet.
fn sid_of(body: &[u8]) -> Option<Sid> {
    #[derive(Deserialize)]
    struct Open {
        sid: Sid,
    }
    let begin = body.iter().position(|it| *it == b'{')?;
    let open: Open = serde_json::from_slice(body.get(begin..)?).ok()?;
    Some(open.sid)
}

impl EngineResponse {
    /// The response to a payload.
    fn ok() -> Self {
        let content_type = http::HeaderValue::from_static("text/html");
        Self { content_type: Some(content_type), body: Bytes::from_static(b"ok") }
    }

    /// A noop, with which the pending poll of a client ends so that it can upgrade.
    fn noop(version: Version) -> Self {
        let body = match version {
            Version::V3 => Bytes::from_static(b"1:6"),
            Version::V4 => Bytes::from_static(b"6"),
        };
        Self::text(body)
    }

    /// A response that the engine did not make.
    fn text(body: Bytes) -> Self {
        let content_type = http::HeaderValue::from_static("text/plain; charset=UTF-8");
        Self { content_type: Some(content_type), body }
    }
}

fn close_packet(version: Version) -> Bytes {
    match version {
        Version::V3 => Bytes::from_static(b"1:1"),
        Version::V4 => Bytes::from_static(b"1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_id_is_found_in_both_versions() {
        let sid: Sid = "AAAAAAAAAAAAAAHs".parse().unwrap();
        let v4 = br#"0{"sid":"AAAAAAAAAAAAAAHs","upgrades":["websocket"],"pingInterval":25000}"#;
        assert_eq!(sid_of(v4), Some(sid));
        let v3 = [b"73:".as_slice(), v4].concat();
        assert_eq!(sid_of(&v3), Some(sid));
        assert_eq!(sid_of(b"0{}"), None);
        assert_eq!(sid_of(b""), None);
    }
}
