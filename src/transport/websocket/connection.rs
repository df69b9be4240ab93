//! One plain WebSocket connection: a reading and a writing half in one task.
//!
//! Both halves run concurrently, so a replay that waits for outbox capacity is written meanwhile.
//! The half that ends first ends the connection.

use std::{future::pending, sync::Arc, time::Duration};

use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, copy},
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message, Utf8Bytes,
        error::CapacityError,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tracing::debug;

use super::{
    format::Format,
    outbox::{UnansweredRequest, WebSocketOutbox, WriteBatch, WriterWork},
};
use crate::{
    chat::{
        Admission, ReplyCallback, Session,
        ports::{ConnectionMetrics, Outbox},
    },
    domain::{CloseReason, Limits},
    wire::{
        code,
        websocket::{RequestFrame, RequestKind},
    },
};

/// The size of the read buffer, which exists as long as the connection.
const READ_BUFFER_BYTES: usize = 512;
/// The bytes that are collected before a write. The buffer keeps its memory, so it is small.
const WRITE_BUFFER_BYTES: usize = 4 << 10;
/// The most bytes of one batch. The socket itself aborts when its peer accepts no bytes.
const WRITE_BYTES: usize = 64 << 10;
/// The longest wait for answers before the reason is sent.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(1);
/// The longest time for queued frames once the close has begun.
const FLUSH_WAIT: Duration = Duration::from_secs(2);
/// The same for a prompt close reason. With the wait for the close it is less than a second.
const PROMPT_FLUSH_WAIT: Duration = Duration::from_millis(300);
/// The longest time for the close handshake.
const CLOSE_WAIT: Duration = Duration::from_secs(1);
/// The same for a prompt close reason.
const PROMPT_CLOSE_WAIT: Duration = Duration::from_millis(500);

type MessageSink<S> = SplitSink<WebSocketStream<S>, Message>;
type MessageStream<S> = SplitStream<WebSocketStream<S>>;

/// The end of a connection.
enum ConnectionEnd {
    /// The server closes it for this reason.
    ByServer(CloseReason),
    /// The peer violated the protocol. RFC 6455 defines the code.
    ProtocolError(CloseCode, &'static str),
    /// The peer closed it or disconnected.
    ByPeer,
}

/// Serves a connection until it ends.
pub(super) async fn run<S>(
    stream: S,
    admission: Box<Admission>,
    format: Format,
    (limits, metrics): (Arc<Limits>, Arc<ConnectionMetrics>),
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (mut sink, mut stream) = split_stream(stream, &limits).await;
    let outbox = WebSocketOutbox::new(format, Arc::clone(&limits));
    let end = tokio::select! {
        end = read(&mut stream, admission, &outbox, (&limits, &metrics)) => end,
        end = write(&mut sink, &outbox) => end,
        end = close_timeout(&outbox) => end,
    };
    if matches!(end, ConnectionEnd::ByServer(CloseReason::SlowReader)) {
        metrics.slow_reader();
    }
    // The session ended with `read`, so the connection has already left its rooms.
    Box::pin(close(sink, stream, format, end)).await;
}

/// Sends the reason of a rejection and closes the connection.
pub(super) async fn reject<S>(stream: S, reason: CloseReason, format: Format, limits: &Limits)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (sink, stream) = split_stream(stream, limits).await;
    close(sink, stream, format, ConnectionEnd::ByServer(reason)).await;
}

/// The two halves of a connection.
async fn split_stream<S>(stream: S, limits: &Limits) -> (MessageSink<S>, MessageStream<S>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let frame_bytes_max = limits.frame_bytes_max.get();
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(Some(frame_bytes_max))
        .max_frame_size(Some(frame_bytes_max));
    WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await.split()
}

/// Handles requests one after the other. Returns when the peer ends the connection. When the server
/// does, the writing half returns once all is written, and the session exists until then.
///
/// Everything but the wait is boxed: the task is as large as its largest step, and most of the time
/// it waits.
async fn read<S>(
    stream: &mut MessageStream<S>,
    admission: Box<Admission>,
    outbox: &Arc<WebSocketOutbox>,
    (limits, metrics): (&Limits, &Arc<ConnectionMetrics>),
) -> ConnectionEnd
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let entering = admission.enter(Arc::clone(outbox) as Arc<dyn Outbox>);
    let mut session = Box::pin(entering).await;
    loop {
        let message = tokio::select! {
            biased;
            () = outbox.wait_reading_ends() => return pending().await,
            message = next_message(stream, outbox, limits) => message,
        };
        let message = match message {
            Ok(message) => message,
            Err(ConnectionEnd::ByServer(reason)) if reason.answers_first() => {
                outbox.close(reason);
                continue;
            }
            Err(end) => return end,
        };
        match message {
            Message::Close(_) => return ConnectionEnd::ByPeer,
            message => {
                let resources = (limits, metrics);
                Box::pin(handle_frame(&mut session, &message, outbox, resources)).await;
            }
        }
    }
}

/// The next message. A silent peer receives a ping, and is disconnected if it does not answer.
async fn next_message<S>(
    stream: &mut MessageStream<S>,
    outbox: &WebSocketOutbox,
    limits: &Limits,
) -> Result<Message, ConnectionEnd>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let ping_at = Instant::now() + limits.ping_interval;
    let message = match timeout_at(ping_at, stream.next()).await {
        Ok(message) => message,
        Err(_silent) => {
            outbox.ping();
            let answered = timeout(limits.ping_timeout, stream.next()).await;
            answered.map_err(|_silent| ConnectionEnd::ByServer(CloseReason::PingTimeout))?
        }
    };
    match message {
        Some(Ok(message)) => Ok(message),
        Some(Err(error)) => Err(classify_error(&error, limits)),
        None => Err(ConnectionEnd::ByPeer),
    }
}

/// Passes one frame to the session, if it holds a request.
async fn handle_frame(
    session: &mut Session,
    message: &Message,
    outbox: &Arc<WebSocketOutbox>,
    (limits, metrics): (&Limits, &Arc<ConnectionMetrics>),
) {
    let request_frame = outbox.format().request(message, limits);
    let Some(RequestFrame { kind, ack, request }) = request_frame else { return };
    let Some(unanswered) = outbox.count_request() else { return };
    let reply_callback = reply_callback((kind, ack), unanswered, outbox, metrics);
    match request {
        Ok(request) => session.handle(request, reply_callback).await,
        Err(rejection) => reply_callback(Err(rejection)),
    }
}

/// The callback that sends a reply.
fn reply_callback(
    (kind, ack): (RequestKind, Option<u64>),
    unanswered: UnansweredRequest,
    outbox: &Arc<WebSocketOutbox>,
    metrics: &Arc<ConnectionMetrics>,
) -> ReplyCallback {
    let (outbox, metrics) = (Arc::clone(outbox), Arc::clone(metrics));
    Box::new(move |reply| {
        if let Err(rejection) = &reply {
            metrics.request_rejected(rejection);
        }
        if let Some(frame) = outbox.format().reply(&kind, ack, &reply) {
            outbox.send(frame);
        }
        drop(unanswered);
    })
}

/// Waits until the close begins, then at most for the time for answers and the flush time.
async fn close_timeout(outbox: &WebSocketOutbox) -> ConnectionEnd {
    outbox.wait_reading_ends().await;
    if timeout(ANSWER_WAIT_MAX, outbox.closing()).await.is_err() {
        outbox.close_unanswered();
    }
    let reason = outbox.closing().await;
    sleep(if reason.is_prompt() { PROMPT_FLUSH_WAIT } else { FLUSH_WAIT }).await;
    ConnectionEnd::ByServer(reason)
}

/// Writes the queued frames, those that wait together in one write. Returns at the end.
async fn write<S>(sink: &mut MessageSink<S>, outbox: &WebSocketOutbox) -> ConnectionEnd
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    loop {
        let WriteBatch { messages, bytes } = match outbox.next_work(WRITE_BYTES).await {
            WriterWork::Write(batch) => batch,
            WriterWork::Close(reason) => return ConnectionEnd::ByServer(reason),
        };
        if let Err(error) = write_all(sink, messages).await {
            debug!(%error, "write failed: the peer disconnected or accepts no bytes");
            return ConnectionEnd::ByPeer;
        }
        outbox.written(bytes);
    }
}

async fn write_all<S>(sink: &mut MessageSink<S>, messages: Vec<Message>) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    for message in messages {
        sink.feed(message).await?;
    }
    sink.flush().await
}

/// The end of a connection after an error.
fn classify_error(error: &Error, limits: &Limits) -> ConnectionEnd {
    debug!(%error, "read failed: the peer violated the protocol or disconnected");
    match error {
        // RFC 6455: the top bit of a length is zero.
        Error::Capacity(CapacityError::MessageTooLong { size, .. }) if *size > usize::MAX / 2 => {
            ConnectionEnd::ProtocolError(CloseCode::Protocol, "the frame breaks the protocol")
        }
        Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            let limit = limits.frame_bytes_max.get();
            ConnectionEnd::ByServer(CloseReason::FrameTooLarge { limit })
        }
        Error::Utf8(_) => ConnectionEnd::ProtocolError(CloseCode::Invalid, "the text is not UTF-8"),
        Error::Protocol(_) | Error::Capacity(_) => {
            ConnectionEnd::ProtocolError(CloseCode::Protocol, "the frame breaks the protocol")
        }
        _ => ConnectionEnd::ByPeer,
    }
}

/// Sends the reason and waits for the peer to close: a socket that is closed with unread data is
/// reset, and the peer might not receive the reason.
async fn close<S>(
    mut sink: MessageSink<S>,
    mut stream: MessageStream<S>,
    format: Format,
    end: ConnectionEnd,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let prompt = matches!(end, ConnectionEnd::ByServer(reason) if reason.is_prompt());
    let closing = async {
        match end {
            ConnectionEnd::ByPeer => (),
            ConnectionEnd::ProtocolError(code, reason) => {
                sink.send(close_frame(code, reason)).await?;
                return discard(sink, stream).await;
            }
            ConnectionEnd::ByServer(reason) => {
                let row = code::close(reason);
                sink.feed(format.closing(reason)).await?;
                sink.send(close_frame(row.websocket.into(), row.reason)).await?;
                if matches!(reason, CloseReason::FrameTooLarge { .. }) {
                    return discard(sink, stream).await;
                }
            }
        }
        while stream.next().await.is_some_and(|message| message.is_ok()) {}
        sink.close().await
    };
    let close_wait = if prompt { PROMPT_CLOSE_WAIT } else { CLOSE_WAIT };
    if let Ok(Err(error)) = timeout(close_wait, closing).await {
        debug!(%error, "close failed: the peer disconnected before");
    }
}

/// Reads and discards the rest of the stream after a frame that was not read to its end.
async fn discard<S>(sink: MessageSink<S>, stream: MessageStream<S>) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let Ok(socket) = sink.reunite(stream) else { return Ok(()) };
    copy(&mut socket.into_inner(), &mut tokio::io::sink()).await?;
    Ok(())
}

fn close_frame(code: CloseCode, reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }))
}
