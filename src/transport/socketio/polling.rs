//! Sessions that poll: opened, listened to, spoken to, hung up on.
//!
//! A body is bounded before it is read, and counted before it is parsed. One POST of a session is in
//! work at a time, and it is held back while the session's inbox is full.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use socketioxide::socket::Sid;
use tokio::time::{Instant, sleep, timeout};

use super::{
    SocketIoTransport, eio3,
    engine::{self, Answer, Engine},
    gate::{Refusal, Version},
    link::{Fate, Link, Words},
    payload::{self, Kind, Trouble},
};
use crate::domain::{CloseReason, Limits};

/// While a client changes over to a WebSocket it waits for its last poll to be answered. So the poll
/// is answered with nothing after this time, and each further one after twice the time before.
const NUDGE: Duration = Duration::from_millis(50);

/// A polling session of which nothing was seen for this long after its heartbeat ran out is one that
/// the engine has forgotten without telling.
const DESERTED_AFTER: Duration = Duration::from_secs(15);

/// What only sessions that began with polling have.
pub(super) struct Polled {
    engine: Engine,
    carrier: AtomicU8,
    nudges: AtomicU8,
    posting: AtomicBool,
    visitors: AtomicUsize,
    born: Instant,
    /// Milliseconds from birth to the end of the last request.
    seen: AtomicU64,
}

/// What carries a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Carrier {
    /// Polling.
    Polling,
    /// Polling, and a WebSocket has opened that has not proved yet that it works.
    Probing,
    /// Polling, and the client was told that its WebSocket works.
    Switching,
    /// A WebSocket.
    WebSocket,
}

impl Polled {
    /// A session that has just begun.
    pub(super) fn new(engine: Engine) -> Self {
        Self {
            engine,
            carrier: AtomicU8::new(Carrier::Polling as u8),
            nudges: AtomicU8::new(0),
            posting: AtomicBool::new(false),
            visitors: AtomicUsize::new(0),
            born: Instant::now(),
            seen: AtomicU64::new(0),
        }
    }

    /// Whether requests carry it, or still carry it.
    pub(super) fn is_polling(&self) -> bool {
        self.carrier.load(Ordering::SeqCst) != Carrier::WebSocket as u8
    }

    /// Moves from one carrier to another, if it is at the first. Answers whether it was.
    pub(super) fn change(&self, from: Carrier, to: Carrier) -> bool {
        let (before, after, order) = (from as u8, to as u8, Ordering::SeqCst);
        let changed = self.carrier.compare_exchange(before, after, order, order).is_ok();
        if changed {
            self.nudges.store(0, order);
        }
        changed
    }

    fn is_switching(&self) -> bool {
        self.carrier.load(Ordering::SeqCst) == Carrier::Switching as u8
    }

    /// Whether nobody has used the session for so long that it cannot live.
    pub(super) fn is_deserted(&self, limits: &Limits) -> bool {
        let seen = Duration::from_millis(self.seen.load(Ordering::SeqCst));
        let patience = limits.ping_interval + limits.ping_timeout + DESERTED_AFTER;
        let nobody = self.visitors.load(Ordering::SeqCst) == 0;
        self.is_polling() && nobody && self.born.elapsed() > seen + patience
    }

    /// Waits until the client's pending poll has to be answered so that it can change over.
    async fn nudge(&self, link: &Link) {
        loop {
            link.wait_until(|_| self.is_switching()).await;
            let times = self.nudges.load(Ordering::SeqCst).min(10);
            sleep(NUDGE * (1 << times)).await;
            if self.is_switching() {
                self.nudges.fetch_add(1, Ordering::SeqCst);
                return;
            }
        }
    }
}

impl fmt::Debug for Polled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Polled").field("carrier", &self.carrier).finish_non_exhaustive()
    }
}

/// A request of the session is in work until this is dropped.
struct Visit<'a>(&'a Polled);

impl<'a> Visit<'a> {
    fn begin(polled: &'a Polled) -> Self {
        polled.visitors.fetch_add(1, Ordering::SeqCst);
        Self(polled)
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        let seen = u64::try_from(self.0.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.seen.store(seen, Ordering::SeqCst);
        self.0.visitors.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The turn to post. There is one at a time.
struct Turn<'a>(&'a Polled);

impl<'a> Turn<'a> {
    fn take(polled: &'a Polled) -> Option<Self> {
        let free = !polled.posting.swap(true, Ordering::SeqCst);
        free.then(|| Self(polled))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.posting.store(false, Ordering::SeqCst);
    }
}

impl SocketIoTransport {
    /// Finds a session that requests still carry.
    pub(super) fn polled(&self, sid: Sid) -> Result<Arc<Link>, Refusal> {
        let link = self.shared.links.find(sid).ok_or(Refusal::SessionUnknown)?;
        let polls = link.polled().is_some_and(Polled::is_polling);
        if polls { Ok(link) } else { Err(Refusal::BadRequest) }
    }

    /// Opens a session.
    pub(super) async fn open(&self, words: Words) -> Result<Response<Body>, Refusal> {
        let version = words.version;
        let polled = Some(Box::new(Polled::new(self.engine.clone())));
        let link = self.begin(words, polled);
        let mut request = Request::new(());
        request.extensions_mut().insert(Arc::clone(&link));
        let answer = engine::open(&self.engine, version, request).await?;
        link.registration().set_sid(sid_of(&answer.body).ok_or(Refusal::BadRequest)?);
        // Whoever ended it meanwhile did not know by which name to ask the engine.
        if link.fate() >= Fate::Closing {
            Arc::clone(&link).hang_up().await;
        }
        Ok(answer.into_response())
    }

    /// Answers with what the server has to say, once it has.
    pub(super) async fn poll(&self, link: &Arc<Link>) -> Result<Response<Body>, Refusal> {
        let (polled, sid) = parts(link)?;
        let _visit = Visit::begin(polled);
        let version = link.version();
        let mut answer = tokio::select! {
            biased;
            answer = engine::poll(&self.engine, version, sid) => answer?,
            () = polled.nudge(link) => Answer::noop(version),
        };
        if answer.body.is_empty() {
            answer.body = close_packet(version);
        }
        if version == Version::V3 {
            answer.body = eio3::mend(answer.body);
        }
        link.relieve(answer.body.len());
        Ok(answer.into_response())
    }

    /// Hears what the client has to say.
    pub(super) async fn post(
        &self,
        link: &Arc<Link>,
        request: Request<Body>,
    ) -> Result<Response<Body>, Refusal> {
        let (polled, sid) = parts(link)?;
        let _visit = Visit::begin(polled);
        let Some(_turn) = Turn::take(polled) else {
            link.cut();
            return Err(Refusal::BadRequest);
        };
        let (head, body) = request.into_parts();
        let kind = Kind::of(link.version(), &head.headers).inspect_err(|_| link.cut())?;
        drop(head);
        let body = tokio::select! {
            body = read(body, link.limits()) => body,
            () = link.ended() => Err(Refusal::SessionUnknown),
        };
        let body = body.inspect_err(|refusal| {
            if *refusal == Refusal::TooLarge {
                link.cut();
            }
        })?;
        let packets_max = link.limits().inbox_requests_max.get();
        let payload = payload::cut(kind, body, packets_max).map_err(|trouble| match trouble {
            Trouble::Malformed => {
                link.cut();
                Refusal::BadRequest
            }
            Trouble::TooMany => {
                link.close(CloseReason::Flood);
                Refusal::TooLarge
            }
        })?;
        link.room_for(payload.packets).await;
        if link.fate() >= Fate::Telling {
            return Err(Refusal::SessionUnknown);
        }
        let answer = engine::post(&self.engine, link.version(), sid, payload).await?;
        Ok(answer.into_response())
    }
}

impl Link {
    /// Ends a session that does not end when its stream does: a polling one as if its client had, because
    /// only so the engine tells everybody.
    pub(super) async fn hang_up(self: Arc<Self>) {
        timeout(self.flush_wait(), self.told()).await.ok();
        if let Ok((polled, sid)) = parts(&self) {
            let payload = payload::close(self.version());
            engine::post(&polled.engine, self.version(), sid, payload).await.ok();
        }
        self.cut();
    }
}

/// What a session that began with polling has.
fn parts(link: &Link) -> Result<(&Polled, Sid), Refusal> {
    link.polled().zip(link.registration().sid()).ok_or(Refusal::SessionUnknown)
}

/// Reads a body within the limits.
async fn read(body: Body, limits: &Limits) -> Result<Bytes, Refusal> {
    let bytes_max = limits.frame_bytes_max.get();
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(Refusal::TooLarge);
    }
    let whole = Limited::new(body, bytes_max).collect();
    match timeout(limits.request_body_wait_max, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Refusal::TooLarge),
        Ok(Err(_)) => Err(Refusal::BadRequest),
        Err(_) => Err(Refusal::TooSlow),
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

impl Answer {
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
