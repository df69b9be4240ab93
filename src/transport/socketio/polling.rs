//! Sessions that poll: opened, listened to, spoken to, hung up on.
//!
//! A body is bounded before it is read, and counted before it is parsed. One POST of a session is in
//! work at a time, and it is held back while the session's inbox is full.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use socketioxide::socket::Sid;
use tokio::time::{sleep, timeout};

use super::{
    SocketIoTransport, eio3,
    engine::{self, EngineResponse},
    payload::{self, PayloadError, PayloadFormat},
    polling_state::PollingState,
    request::{EngineRejection, Version},
    session::{ClosePhase, EngineSession, Handshake},
};
use crate::domain::{CloseReason, Limits};

/// While a client changes over to a WebSocket it waits for its last poll to be answered. So the poll
/// is answered with nothing after this time, and each further one after twice the time before.
const NOOP_DELAY: Duration = Duration::from_millis(50);

/// A request of the session is in work until this is dropped.
struct RequestInFlight<'a>(&'a PollingState);

impl<'a> RequestInFlight<'a> {
    fn begin(polling: &'a PollingState) -> Self {
        polling.requests_in_flight.fetch_add(1, Ordering::SeqCst);
        Self(polling)
    }
}

impl Drop for RequestInFlight<'_> {
    fn drop(&mut self) {
        let last_request =
            u64::try_from(self.0.created_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last_request.store(last_request, Ordering::SeqCst);
        self.0.requests_in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The turn to post. There is one at a time.
struct PostGuard<'a>(&'a PollingState);

impl<'a> PostGuard<'a> {
    fn acquire(polling: &'a PollingState) -> Option<Self> {
        let free = !polling.posting.swap(true, Ordering::SeqCst);
        free.then(|| Self(polling))
    }
}

impl Drop for PostGuard<'_> {
    fn drop(&mut self) {
        self.0.posting.store(false, Ordering::SeqCst);
    }
}

impl SocketIoTransport {
    /// Finds a session that requests still carry.
    pub(super) fn find_polling_session(
        &self,
        sid: Sid,
    ) -> Result<Arc<EngineSession>, EngineRejection> {
        let session = self.context.registry.find(sid).ok_or(EngineRejection::SessionUnknown)?;
        let polls = session.polling().is_some_and(PollingState::is_polling);
        if polls { Ok(session) } else { Err(EngineRejection::BadRequest) }
    }

    /// Opens a session.
    pub(super) async fn open(
        &self,
        handshake: Handshake,
    ) -> Result<Response<Body>, EngineRejection> {
        let version = handshake.version;
        let polling = Some(Box::new(PollingState::new()));
        let session = self.create_session(handshake, polling);
        let mut request = Request::new(());
        request.extensions_mut().insert(Arc::clone(&session));
        let answer = engine::open(&self.resources.engine, version, request).await?;
        session.set_sid(sid_of(&answer.body).ok_or(EngineRejection::BadRequest)?);
        // Whoever ended it meanwhile did not know by which name to ask the engine.
        if session.close_phase() >= ClosePhase::Closing {
            Arc::clone(&session).close_in_engine().await;
        }
        Ok(answer.into_response())
    }

    /// Answers with what the server has to say, once it has.
    pub(super) async fn poll(
        &self,
        session: &Arc<EngineSession>,
    ) -> Result<Response<Body>, EngineRejection> {
        let (polling, sid) = polling_parts(session)?;
        let _request_in_flight = RequestInFlight::begin(polling);
        let version = session.version();
        let mut answer = tokio::select! {
            biased;
            answer = engine::poll(session.engine(), version, sid) => answer?,
            () = wait_for_noop(polling, session) => EngineResponse::noop(version),
        };
        if answer.body.is_empty() {
            answer.body = close_packet(version);
        }
        if version == Version::V3 {
            answer.body = eio3::fix_attachments(answer.body);
        }
        session.release_bytes(answer.body.len());
        Ok(answer.into_response())
    }

    /// Hears what the client has to say.
    pub(super) async fn post(
        &self,
        session: &Arc<EngineSession>,
        request: Request<Body>,
    ) -> Result<Response<Body>, EngineRejection> {
        let (polling, sid) = polling_parts(session)?;
        let _request_in_flight = RequestInFlight::begin(polling);
        let Some(_guard) = PostGuard::acquire(polling) else {
            session.abort();
            return Err(EngineRejection::BadRequest);
        };
        let (head, body) = request.into_parts();
        let format =
            PayloadFormat::of(session.version(), &head.headers).inspect_err(|_| session.abort())?;
        drop(head);
        let body = tokio::select! {
            body = read_body(body, session.limits()) => body,
            () = session.wait_closing() => Err(EngineRejection::SessionUnknown),
        };
        let body = body.inspect_err(|rejection| {
            if *rejection == EngineRejection::TooLarge {
                session.abort();
            }
        })?;
        let packets_max = session.limits().inbox_requests_max.get();
        let payload = payload::split(format, body, packets_max).map_err(|error| match error {
            PayloadError::Malformed => {
                session.abort();
                EngineRejection::BadRequest
            }
            PayloadError::TooManyPackets => {
                session.close(CloseReason::Flood);
                EngineRejection::TooLarge
            }
        })?;
        session.wait_for_request_capacity(payload.packets).await;
        if session.close_phase() >= ClosePhase::Notifying {
            return Err(EngineRejection::SessionUnknown);
        }
        let answer = engine::post(session.engine(), session.version(), sid, payload).await?;
        Ok(answer.into_response())
    }
}

/// Waits until the client's pending poll has to be answered so that it can change over.
async fn wait_for_noop(polling: &PollingState, session: &EngineSession) {
    loop {
        session.wait_until(|_| polling.is_switching()).await;
        let times = polling.noops_sent.load(Ordering::SeqCst).min(10);
        sleep(NOOP_DELAY * (1 << times)).await;
        if polling.is_switching() {
            polling.noops_sent.fetch_add(1, Ordering::SeqCst);
            return;
        }
    }
}

/// The polling state and the id of a session that began with polling.
fn polling_parts(session: &EngineSession) -> Result<(&PollingState, Sid), EngineRejection> {
    session.polling().zip(session.sid()).ok_or(EngineRejection::SessionUnknown)
}

/// Reads a body within the limits.
async fn read_body(body: Body, limits: &Limits) -> Result<Bytes, EngineRejection> {
    let bytes_max = limits.frame_bytes_max.get();
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(EngineRejection::TooLarge);
    }
    let whole = Limited::new(body, bytes_max).collect();
    match timeout(limits.request_body_wait_max, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            Err(EngineRejection::TooLarge)
        }
        Ok(Err(_)) => Err(EngineRejection::BadRequest),
        Err(_) => Err(EngineRejection::TooSlow),
    }
}

/// Reads the session id out of the engine's first packet, which in version 3 has its length before.
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
    /// Nothing, so that the client may change over.
    fn noop(version: Version) -> Self {
        let body = match version {
            Version::V3 => Bytes::from_static(b"1:6"),
            Version::V4 => Bytes::from_static(b"6"),
        };
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
