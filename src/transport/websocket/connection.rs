//! One plain WebSocket connection. Its task reads, and otherwise waits for the end: the lane writes,
//! so no delivery wakes this task.

use std::{sync::Arc, time::Duration};

use hyper::upgrade::OnUpgrade;
use tokio::{
    io::AsyncRead,
    time::{Instant, timeout, timeout_at},
};
use tracing::debug;

use super::{
    close::{SocketEnd, close},
    decoder::{Incoming, Message},
    encoding::Encoding,
    outbox::{UnansweredRequest, WebSocketOutbox},
    steps,
    stream::MessageStream,
};
use crate::{
    chat::{
        Admission, ReplyCallback, Session,
        ports::{Outbox, RequestMetrics, SpanFact},
    },
    domain::{CloseReason, Limits},
    transport::{
        client_address::ClientAddress,
        lanes::{LaneStream, LaneWriter, Lanes, QueueFull},
    },
    wire::{
        dialect::InitialUser,
        websocket::{RequestFrame, RequestKind},
    },
};

/// The longest time for queued frames once the close has begun.
const FLUSH_WAIT: Duration = Duration::from_secs(2);
/// The same for a prompt close reason. With the wait for the close it is less than a second.
const PROMPT_FLUSH_WAIT: Duration = Duration::from_millis(300);

/// A connection whose WebSocket is open.
///
/// Its methods borrow it: a future holds what it takes by value twice, and exists as long as the
/// connection.
pub(super) struct Connection {
    stream: Box<MessageStream<LaneStream>>,
    outbox: Arc<WebSocketOutbox>,
    limits: Arc<Limits>,
}

impl Connection {
    /// Waits until the `101` response is written, and takes the socket. `None` if that fails.
    pub(super) async fn open(
        (upgraded, address): (OnUpgrade, Option<ClientAddress>),
        lanes: Lanes,
        (encoding, limits): (Encoding, Arc<Limits>),
    ) -> Option<Self> {
        match upgraded.await {
            Ok(upgraded) => {
                let writer = Arc::new(LaneWriter::new(&lanes, Arc::clone(&limits)));
                let stream = LaneStream::new(upgraded, Arc::clone(&writer));
                let stream = MessageStream::new(stream, &limits, encoding.incoming());
                let outbox = WebSocketOutbox::new(encoding, Arc::clone(&limits), writer, address);
                Some(Self { stream, outbox, limits })
            }
            Err(error) => {
                debug!(%error, "upgrade failed");
                None
            }
        }
    }

    /// Serves the connection until it ends.
    pub(super) async fn run(&mut self, admission: Box<Admission>, metrics: &Arc<RequestMetrics>) {
        let end = self.read(admission, metrics).await;
        // The session ended with `read`, so the connection has already left its rooms.
        Box::pin(self.close(end)).await;
    }

    /// Tells the peer why the connection ends, and closes it.
    pub(super) async fn close(&mut self, end: SocketEnd) {
        close(&mut self.stream, self.outbox.writer(), self.outbox.format(), end).await;
    }

    /// Handles requests one after the other until the connection ends. When the server ends it, the
    /// session exists until all is written.
    ///
    /// Everything but the wait for a message is boxed: the task is as large as its largest step, and
    /// most of the time it waits.
    async fn read(
        &mut self,
        admission: Box<Admission>,
        metrics: &Arc<RequestMetrics>,
    ) -> SocketEnd {
        let Self { stream, outbox, limits } = self;
        let user = initial_user(&admission, outbox);
        let entering = admission.enter(Arc::<WebSocketOutbox>::clone(outbox));
        let mut session = match Box::pin(or_end(entering, outbox)).await {
            Ok(session) => session,
            Err(end) => return end,
        };
        let opening = Box::pin(or_end(open(&mut session, user, outbox, metrics), outbox)).await;
        let end = match opening.and_then(|opened| opened) {
            Ok(()) => handle_requests(stream, &mut session, outbox, (limits, metrics)).await,
            Err(end) => end,
        };
        // Before the session ends: webhooks are told of the connection then.
        outbox.record_end(end.reported());
        end
    }
}

/// Handles the requests of a session until the connection ends.
async fn handle_requests<S>(
    stream: &mut MessageStream<S>,
    session: &mut Session,
    outbox: &Arc<WebSocketOutbox>,
    (limits, metrics): (&Limits, &Arc<RequestMetrics>),
) -> SocketEnd
where
    S: AsyncRead + Unpin + Send,
{
    loop {
        let message = tokio::select! {
            biased;
            () = outbox.wait_reading_ends() => return Box::pin(wait_end(outbox)).await,
            () = outbox.writer().ended() => return SocketEnd::Lost,
            message = next_message(stream, outbox, limits) => message,
        };
        let message = match message {
            Ok(message) => message,
            Err(SocketEnd::ByServer(reason)) if reason.answers_first() => {
                outbox.close(reason);
                continue;
            }
            Err(SocketEnd::ByServer(reason)) => {
                outbox.close(reason);
                return SocketEnd::ByServer(reason);
            }
            // What was sent before it is answered before it.
            Err(end @ (SocketEnd::Closed(_) | SocketEnd::ProtocolError(..))) => {
                let answering = timeout(CloseReason::ANSWER_WAIT_MAX, outbox.answered());
                return Box::pin(or_end(answering, outbox)).await.err().unwrap_or(end);
            }
            Err(end) => return end,
        };
        let handling = handle_frame(session, &message, outbox, metrics);
        if let Err(end) = Box::pin(or_end(handling, outbox)).await.and_then(|it| it) {
            return end;
        }
    }
}

/// The next message. Pings are answered meanwhile. A peer that sends no bytes receives a ping, and is
/// disconnected if it sends none after that.
async fn next_message<S>(
    stream: &mut MessageStream<S>,
    outbox: &WebSocketOutbox,
    limits: &Limits,
) -> Result<Message, SocketEnd>
where
    S: AsyncRead + Unpin + Send,
{
    let mut pinged_at = None;
    loop {
        let received_at = stream.received_at();
        let unanswered_since = pinged_at.filter(|pinged_at| *pinged_at >= received_at);
        let deadline = unanswered_since
            .map_or(received_at + limits.ping_interval, |since| since + limits.ping_timeout);
        match timeout_at(deadline, stream.next()).await {
            Ok(Ok(Incoming::Message(message))) => return Ok(message),
            Ok(Ok(Incoming::Close(payload))) => return Err(SocketEnd::Closed(payload)),
            Ok(Ok(Incoming::Ping(payload))) => outbox
                .pong(&payload)
                .map_err(|QueueFull| SocketEnd::ByServer(CloseReason::SlowReader))?,
            Ok(Ok(Incoming::Pong)) => {}
            Ok(Err(error)) => return Err(SocketEnd::from_error(&error, limits)),
            Err(_elapsed) if stream.received_at() > received_at => {}
            Err(_elapsed) if unanswered_since.is_some() => {
                return Err(SocketEnd::ByServer(CloseReason::PingTimeout));
            }
            Err(_elapsed) => {
                outbox.ping();
                pinged_at = Some(Instant::now());
            }
        }
    }
}

/// The user of a connection with a dialect. `None` without one.
fn initial_user(admission: &Admission, outbox: &WebSocketOutbox) -> Option<InitialUser> {
    outbox.format().translator()?;
    Some(if admission.is_identified() {
        InitialUser::Identified
    } else {
        InitialUser::Anonymous(admission.suggested_name())
    })
}

/// Opens a connection with a dialect.
async fn open(
    session: &mut Session,
    user: Option<InitialUser>,
    outbox: &Arc<WebSocketOutbox>,
    metrics: &Arc<RequestMetrics>,
) -> Result<(), SocketEnd> {
    let (Some(user), Some(translator)) = (user, outbox.format().translator()) else {
        return Ok(());
    };
    steps::perform(translator.open(user), (session, None), translator, (outbox, metrics)).await
}

/// Passes what one frame asks for to the session. Returns an end that the frame asks for.
async fn handle_frame(
    session: &mut Session,
    message: &Message,
    outbox: &Arc<WebSocketOutbox>,
    metrics: &Arc<RequestMetrics>,
) -> Result<(), SocketEnd> {
    outbox.writer().traffic().request_received();
    let received = metrics.received();
    let rules = session.request_rules();
    if let Some(translator) = outbox.format().translator() {
        let steps = translator.frame(message, session.request_context(&rules));
        drop(rules);
        let span = received.map(|it| it.decoded(None));
        return steps::perform(steps, (session, span), translator, (outbox, metrics)).await;
    }
    let context = session.request_context(&rules);
    let RequestFrame { kind, ack, request } = outbox.format().request(message, context);
    drop(rules);
    let span = received.map(|it| it.decoded(kind.name()));
    let Some(unanswered) = outbox.count_request() else { return Ok(()) };
    if let Err(rejection) = &request {
        debug!(event = ?kind.sent_name(), %rejection, "request refused");
        if let Some(span) = &span {
            span.record(SpanFact::Refused(rejection));
        }
    }
    let reply_callback = reply_callback((kind, ack), unanswered, outbox, metrics);
    match request {
        Ok(request) => session.handle_traced(span, request, reply_callback).await,
        Err(rejection) => reply_callback(Err(rejection)),
    }
    Ok(())
}

/// The callback that sends a reply.
fn reply_callback(
    (kind, ack): (RequestKind, Option<u64>),
    unanswered: UnansweredRequest,
    outbox: &Arc<WebSocketOutbox>,
    metrics: &Arc<RequestMetrics>,
) -> ReplyCallback {
    let (outbox, metrics, begun_at) = (Arc::clone(outbox), Arc::clone(metrics), Instant::now());
    Box::new(move |reply| {
        metrics.answered(kind.name(), begun_at, &reply);
        if let Some(frame) = outbox.format().reply(&kind, ack, &reply) {
            outbox.send(frame);
        }
        drop(unanswered);
    })
}

/// Completes a step of the session, unless the connection ends before.
async fn or_end<T>(
    step: impl Future<Output = T>,
    outbox: &WebSocketOutbox,
) -> Result<T, SocketEnd> {
    tokio::select! {
        output = step => Ok(output),
        end = wait_end(outbox) => Err(end),
    }
}

/// Waits until the server closes the connection or the lane cannot write.
async fn wait_end(outbox: &WebSocketOutbox) -> SocketEnd {
    tokio::select! {
        reason = answer_and_flush(outbox) => SocketEnd::ByServer(reason),
        () = outbox.writer().ended() => SocketEnd::Lost,
    }
}

/// Waits until the close begins, then at most for the time for answers and the flush time.
async fn answer_and_flush(outbox: &WebSocketOutbox) -> CloseReason {
    outbox.wait_reading_ends().await;
    if timeout(CloseReason::ANSWER_WAIT_MAX, outbox.closing()).await.is_err() {
        outbox.close_unanswered();
    }
    let reason = outbox.closing().await;
    let flush_wait = if reason.is_prompt() { PROMPT_FLUSH_WAIT } else { FLUSH_WAIT };
    timeout(flush_wait, outbox.writer().flushed()).await.ok();
    reason
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncWriteExt as _, DuplexStream, duplex},
        time::sleep,
    };

    use super::*;
    use crate::transport::{
        lanes::test_support,
        websocket::{format::Format, frame_head::IncomingCompression},
    };

    /// A text frame of 4 bytes, masked with zeros.
    const FRAME: [u8; 10] = *b"\x81\x84\0\0\0\0test";

    struct Peer {
        socket: DuplexStream,
        stream: Box<MessageStream<DuplexStream>>,
        outbox: Arc<WebSocketOutbox>,
        limits: Arc<Limits>,
    }

    impl Peer {
        fn new() -> Self {
            let (socket, stream) = duplex(1 << 10);
            let limits = Arc::new(Limits::default());
            let stream = MessageStream::new(stream, &limits, IncomingCompression::Off);
            let (writer, _peer) = test_support::writer(&limits);
            let outbox = WebSocketOutbox::new(
                Encoding::plain(Format::Json),
                Arc::clone(&limits),
                writer,
                None,
            );
            Self { socket, stream, outbox, limits }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_that_arrives_slowly_is_received() {
        let Peer { mut socket, mut stream, outbox, limits } = Peer::new();
        let slowly = async {
            for byte in FRAME {
                sleep(limits.ping_interval.mul_f32(0.9)).await;
                socket.write_all(&[byte]).await.unwrap();
            }
        };
        let (received, ()) = tokio::join!(next_message(&mut stream, &outbox, &limits), slowly);
        assert!(matches!(received, Ok(Message::Text(text)) if text == "test"));
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_after_a_ping_are_an_answer() {
        let Peer { mut socket, mut stream, outbox, limits } = Peer::new();
        let between_pings = async {
            for byte in FRAME {
                sleep(limits.ping_interval + limits.ping_timeout / 2).await;
                socket.write_all(&[byte]).await.unwrap();
            }
        };
        let (received, ()) =
            tokio::join!(next_message(&mut stream, &outbox, &limits), between_pings);
        assert!(matches!(received, Ok(Message::Text(text)) if text == "test"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_disconnected_after_the_interval_and_the_timeout() {
        let Peer { socket: _socket, mut stream, outbox, limits } = Peer::new();
        let begin = Instant::now();
        let received = next_message(&mut stream, &outbox, &limits).await;
        assert!(matches!(received, Err(SocketEnd::ByServer(CloseReason::PingTimeout))));
        // The timer of tokio has a resolution of a millisecond.
        let expected = limits.ping_interval + limits.ping_timeout;
        assert!(begin.elapsed().abs_diff(expected) <= Duration::from_millis(2));
    }
}
