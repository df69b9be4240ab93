//! The requests with which a polling session begins and receives packets.

use std::sync::Arc;

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
    first_ping, payload,
    poll_payload::{self, PollPayload},
    polling_requests::PollInProgress,
    polling_state::PollingState,
    request::{EngineRejection, SessionKey},
    session::{ClosePhase, EngineSession, Handshake},
};
use crate::{domain::CloseReason, transport::lanes::LaneWriter};

/// How the wait of a poll ends.
enum PollEnd {
    /// There are frames, or the session has ended.
    Frames,
    /// The engine has packets, or has ended the session.
    Engine(EngineResponse),
    /// The client has to poll again, because it upgrades.
    Noop,
}

impl SocketIoTransport {
    /// Finds a session that polling carries, and that began with the same parser and version.
    pub(super) fn find_polling_session(
        &self,
        key: SessionKey,
    ) -> Result<Arc<EngineSession>, EngineRejection> {
        let session = self.context.registry.find(key.sid).ok_or(EngineRejection::SessionUnknown)?;
        let is_same = session.version() == key.version && session.parser() == key.parser;
        if session.is_polling() && is_same { Ok(session) } else { Err(EngineRejection::BadRequest) }
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
        let sid = sid_of(&answer.body).ok_or(EngineRejection::BadRequest)?;
        session.set_sid(sid);
        first_ping::answer(&session, sid).await?;
        // A close in the meantime had no session id to close the session in the engine.
        if session.close_phase() >= ClosePhase::Closing {
            session.end_in_engine().await;
        }
        Ok(answer.into_response())
    }

    /// Answers with the next packets for the client, once there are any.
    pub(super) async fn poll(&self, key: SessionKey) -> Result<Response<Body>, EngineRejection> {
        let session = &self.find_polling_session(key)?;
        self.context.chat.count_poll();
        let SessionKey { sid, version, parser: _ } = key;
        let phase = session.close_phase();
        let mut in_progress = PollInProgress::begin(session);
        let writer = Some(session.writer()).filter(|it| !it.has_ended());
        let end = match wait_for_frames(session).await {
            Some(end) => Ok(end),
            // In a box: most polls end before.
            None => Box::pin(wait_for_packets(session, sid, writer)).await,
        };
        let is_last = self.is_last_poll(session).await;
        // Before anything is taken: the next poll proves that the client received it.
        in_progress.end_wait();
        let mut is_late = false;
        let end = match end {
            // The engine has ended the session, and the client may not know that.
            Err(EngineRejection::SessionUnknown) if phase < ClosePhase::Aborted => {
                if !Box::pin(session.wait_engine_end()).await {
                    return Err(EngineRejection::SessionUnknown);
                }
                is_late = true;
                PollEnd::Frames
            }
            end => end?,
        };
        let frames = session.writer().take(session.limits().frame_bytes_max.get());
        let is_end = match &end {
            PollEnd::Engine(answer) => ends_session(session, answer),
            PollEnd::Frames => frames.is_empty(),
            PollEnd::Noop => false,
        };
        let engine_answer = match end {
            PollEnd::Noop => Some(EngineResponse::text(poll_payload::noop(version))),
            _ if is_end => {
                session.tell_end();
                let follows = is_late || phase == ClosePhase::Closing;
                let close = if follows && frames.is_empty() {
                    poll_payload::noop_and_close(version)
                } else {
                    poll_payload::close(version)
                };
                Some(EngineResponse::text(close))
            }
            PollEnd::Engine(answer) => Some(answer),
            PollEnd::Frames => poll_engine_now(session, sid),
        };
        if is_last && session.writer().waiting_bytes() == 0 {
            session.tell_end();
        }
        let Some(answer) = engine_answer else {
            let payload = poll_payload::of_frames(version, &frames);
            return Ok(respond(session, payload, frames.len()));
        };
        let mut payload = PollPayload::new(version, &frames);
        let packets = || payload::packets(version, &answer.body);
        packets().for_each(|it| session.on_engine_packet(it));
        let count = frames.len() + packets().count();
        if packets().all(|it| session.replacement(it).is_none()) {
            payload.append(&answer.body);
        } else {
            for packet in packets() {
                match session.replacement(packet) {
                    Some(frames) => payload.push_frames(&frames),
                    None => payload.push_text(packet.as_bytes()),
                }
            }
        }
        Ok(respond(session, payload.into_bytes(), count))
    }

    /// Whether the next poll of a client reaches the process that follows: then the answer to this one
    /// has all that is left, `closing` included.
    async fn is_last_poll(&self, session: &EngineSession) -> bool {
        let chat = &self.context.chat;
        if !chat.is_handing_over() || session.close_phase() == ClosePhase::Open {
            return false;
        }
        session.wait_closing().await;
        matches!(session.close_reason(), Some(CloseReason::Draining { .. }))
    }
}

/// The answer to a poll, with this number of packets.
fn respond(session: &EngineSession, payload: Bytes, packets: usize) -> Response<Body> {
    session.writer().traffic().sent(payload.len(), packets);
    EngineResponse::text(payload).into_response()
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
        Some(()) = filled => PollEnd::Frames,
        answer = engine::poll(session.engine(), session.version(), sid) => {
            PollEnd::Engine(answer?)
        }
        () = wait_for_noop(session) => PollEnd::Noop,
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

/// Whether the engine answers a poll because the session has ended: with a close, a noop or nothing.
fn ends_session(session: &EngineSession, answer: &EngineResponse) -> bool {
    let version = session.version();
    let is_noop = answer.body == poll_payload::noop(version);
    answer.body.is_empty()
        || answer.body == poll_payload::close(version)
        || (is_noop && session.close_phase() >= ClosePhase::Closing)
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
    /// A response that the engine did not make.
    fn text(body: Bytes) -> Self {
        let content_type = http::HeaderValue::from_static("text/plain; charset=UTF-8");
        Self { content_type: Some(content_type), body }
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
