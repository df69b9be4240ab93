//! One plain WebSocket connection: a reading and a writing half in one task.
//!
//! They run side by side, so a replay that waits for its reader is written meanwhile. Whichever
//! ends first ends the connection.

use std::{sync::Arc, time::Duration};

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
    outbox::{WebSocketOutbox, WriteBatch, WriterWork},
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

/// What is read from the socket at once. It is held for as long as the connection is.
const READ_BUFFER_BYTES: usize = 512;
/// What is gathered before it is written, so that the buffer stays small: its memory is kept.
const WRITE_BUFFER_BYTES: usize = 4 << 10;
/// What is written at once. A peer that takes nothing is the socket's business: it cuts it.
const WRITE_BYTES: usize = 64 << 10;
/// How long what is queued may take once the end has begun.
const FLUSH_WAIT: Duration = Duration::from_secs(2);
/// The same for a connection that may not stay. With the wait for the close it is within a second.
const PROMPT_FLUSH_WAIT: Duration = Duration::from_millis(300);
/// How long a close may take once it was said.
const CLOSE_WAIT: Duration = Duration::from_secs(1);
/// The same for a connection that may not stay.
const PROMPT_CLOSE_WAIT: Duration = Duration::from_millis(500);

type MessageSink<S> = SplitSink<WebSocketStream<S>, Message>;
type MessageStream<S> = SplitStream<WebSocketStream<S>>;

/// How a connection ends.
enum ConnectionEnd {
    /// We end it, for this reason.
    ByServer(CloseReason),
    /// The peer broke the protocol; RFC 6455 says which code that is.
    ProtocolError(CloseCode, &'static str),
    /// The peer ended it, or is gone.
    ByPeer,
}

/// Serves a connection to its end.
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
        end = flush_timeout(&outbox) => end,
    };
    if matches!(end, ConnectionEnd::ByServer(CloseReason::SlowReader)) {
        metrics.slow_reader();
    }
    // The session ended with `read`: the connection has left its rooms by now.
    Box::pin(close(sink, stream, format, end)).await;
}

/// Tells somebody who was not let in why, and ends the connection.
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

/// Takes requests one after the other. Returns when there will be no more.
///
/// Everything but the waiting is boxed: this task is as large as its largest step, and most of the
/// time nobody says anything.
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
        let message = match next_message(stream, outbox, limits).await {
            Ok(message) => message,
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

/// The next message. A peer that is silent is asked whether it is there, and given up.
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
        Some(Err(error)) => Err(classify_error(&error)),
        None => Err(ConnectionEnd::ByPeer),
    }
}

/// Hands one frame to the session, if it is one that says something.
async fn handle_frame(
    session: &mut Session,
    message: &Message,
    outbox: &Arc<WebSocketOutbox>,
    (limits, metrics): (&Limits, &Arc<ConnectionMetrics>),
) {
    let request_frame = outbox.format().request(message, limits);
    let Some(RequestFrame { kind, ack, request }) = request_frame else { return };
    let reply_callback = reply_callback(kind, ack, outbox, metrics);
    match request {
        Ok(request) => session.handle(request, reply_callback).await,
        Err(rejection) => reply_callback(Err(rejection)),
    }
}

/// Where a reply goes.
fn reply_callback(
    kind: RequestKind,
    ack: Option<u64>,
    outbox: &Arc<WebSocketOutbox>,
    metrics: &Arc<ConnectionMetrics>,
) -> ReplyCallback {
    let (outbox, metrics) = (Arc::clone(outbox), Arc::clone(metrics));
    Box::new(move |reply| {
        if let Err(rejection) = &reply {
            metrics.request_rejected(rejection);
        }
        if let Some(frame) = outbox.format().reply(kind, ack, &reply) {
            outbox.send(frame);
        }
    })
}

/// Once the end has begun, what is queued has a moment to go out. Returns when that is over.
async fn flush_timeout(outbox: &WebSocketOutbox) -> ConnectionEnd {
    let reason = outbox.closing().await;
    sleep(if reason.is_prompt() { PROMPT_FLUSH_WAIT } else { FLUSH_WAIT }).await;
    ConnectionEnd::ByServer(reason)
}

/// Writes what waits: all that fell together goes out in one write. Returns when it is over.
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
            debug!(%error, "a peer is gone, or takes nothing");
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

/// What the peer did wrong.
fn classify_error(error: &Error) -> ConnectionEnd {
    debug!(%error, "a peer broke the protocol or is gone");
    match error {
        // RFC 6455: the top bit of a length is zero.
        Error::Capacity(CapacityError::MessageTooLong { size, .. }) if *size > usize::MAX / 2 => {
            ConnectionEnd::ProtocolError(CloseCode::Protocol, "the frame breaks the protocol")
        }
        Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            ConnectionEnd::ProtocolError(CloseCode::Size, "the frame is too large")
        }
        Error::Utf8(_) => ConnectionEnd::ProtocolError(CloseCode::Invalid, "the text is not UTF-8"),
        Error::Protocol(_) | Error::Capacity(_) => {
            ConnectionEnd::ProtocolError(CloseCode::Protocol, "the frame breaks the protocol")
        }
        _ => ConnectionEnd::ByPeer,
    }
}

/// Says why, and waits a little for the peer: a socket that is closed with unread data in it is
/// reset, and the peer might not see the reason.
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
            }
        }
        while stream.next().await.is_some_and(|message| message.is_ok()) {}
        sink.close().await
    };
    let close_wait = if prompt { PROMPT_CLOSE_WAIT } else { CLOSE_WAIT };
    if let Ok(Err(error)) = timeout(close_wait, closing).await {
        debug!(%error, "a peer was gone before the end");
    }
}

/// Reads the rest of what broke the protocol without understanding it.
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
