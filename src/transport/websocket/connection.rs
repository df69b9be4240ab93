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
    outbox::{Part, WebSocketOutbox, Work},
};
use crate::{
    chat::{Admission, Answerer, Session, ports::Outbox},
    domain::{CloseReason, Limits},
    wire::{
        code,
        websocket::{Asked, Framed},
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

type Sink<S> = SplitSink<WebSocketStream<S>, Message>;
type Stream<S> = SplitStream<WebSocketStream<S>>;

/// How a connection ends.
enum End {
    /// We end it, for this reason.
    Ours(CloseReason),
    /// The peer broke the protocol; RFC 6455 says which code that is.
    Broken(CloseCode, &'static str),
    /// The peer ended it, or is gone.
    Theirs,
}

/// Serves a connection to its end.
pub(super) async fn run<S>(
    stream: S,
    admission: Box<Admission>,
    format: Format,
    limits: Arc<Limits>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (mut sink, mut stream) = open(stream, &limits).await;
    let outbox = WebSocketOutbox::new(format, Arc::clone(&limits));
    let end = tokio::select! {
        end = read(&mut stream, admission, &outbox, &limits) => end,
        end = write(&mut sink, &outbox) => end,
        end = give_up(&outbox) => end,
    };
    // The session ended with `read`: the connection has left its rooms by now.
    Box::pin(finish(sink, stream, format, end)).await;
}

/// Tells somebody who was not let in why, and ends the connection.
pub(super) async fn turn_away<S>(stream: S, reason: CloseReason, format: Format, limits: &Limits)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (sink, stream) = open(stream, limits).await;
    finish(sink, stream, format, End::Ours(reason)).await;
}

/// The two halves of a connection.
async fn open<S>(stream: S, limits: &Limits) -> (Sink<S>, Stream<S>)
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
    stream: &mut Stream<S>,
    admission: Box<Admission>,
    outbox: &Arc<WebSocketOutbox>,
    limits: &Limits,
) -> End
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let entering = admission.enter(Arc::clone(outbox) as Arc<dyn Outbox>);
    let mut session = Box::pin(entering).await;
    loop {
        let message = match heard(stream, outbox, limits).await {
            Ok(message) => message,
            Err(end) => return end,
        };
        match message {
            Message::Close(_) => return End::Theirs,
            message => Box::pin(take(&mut session, &message, outbox, limits)).await,
        }
    }
}

/// The next message. A peer that is silent is asked whether it is there, and given up.
async fn heard<S>(
    stream: &mut Stream<S>,
    outbox: &WebSocketOutbox,
    limits: &Limits,
) -> Result<Message, End>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let asked = Instant::now() + limits.ping_interval;
    let message = match timeout_at(asked, stream.next()).await {
        Ok(message) => message,
        Err(_silent) => {
            outbox.ping();
            let answered = timeout(limits.ping_timeout, stream.next()).await;
            answered.map_err(|_silent| End::Ours(CloseReason::PingTimeout))?
        }
    };
    match message {
        Some(Ok(message)) => Ok(message),
        Some(Err(error)) => Err(broken(&error)),
        None => Err(End::Theirs),
    }
}

/// Hands one frame to the session, if it is one that says something.
async fn take(
    session: &mut Session,
    message: &Message,
    outbox: &Arc<WebSocketOutbox>,
    limits: &Limits,
) {
    let framed = outbox.format().request(message, limits);
    let Some(Framed { asked, ack, request }) = framed else { return };
    let answer = answer(asked, ack, outbox);
    match request {
        Ok(request) => session.on(request, answer).await,
        Err(rejection) => answer(Err(rejection)),
    }
}

/// Where a reply goes.
fn answer(asked: Asked, ack: Option<u64>, outbox: &Arc<WebSocketOutbox>) -> Answerer {
    let outbox = Arc::clone(outbox);
    Box::new(move |reply| {
        if let Some(frame) = outbox.format().reply(asked, ack, &reply) {
            outbox.send(frame);
        }
    })
}

/// Once the end has begun, what is queued has a moment to go out. Returns when that is over.
async fn give_up(outbox: &WebSocketOutbox) -> End {
    let reason = outbox.closing().await;
    sleep(if reason.is_prompt() { PROMPT_FLUSH_WAIT } else { FLUSH_WAIT }).await;
    End::Ours(reason)
}

/// Writes what waits: all that fell together goes out in one write. Returns when it is over.
async fn write<S>(sink: &mut Sink<S>, outbox: &WebSocketOutbox) -> End
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    loop {
        let Part { messages, bytes } = match outbox.work(WRITE_BYTES).await {
            Work::Write(part) => part,
            Work::Close(reason) => return End::Ours(reason),
        };
        if let Err(error) = write_all(sink, messages).await {
            debug!(%error, "a peer is gone, or takes nothing");
            return End::Theirs;
        }
        outbox.written(bytes);
    }
}

async fn write_all<S>(sink: &mut Sink<S>, messages: Vec<Message>) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    for message in messages {
        sink.feed(message).await?;
    }
    sink.flush().await
}

/// What the peer did wrong.
fn broken(error: &Error) -> End {
    debug!(%error, "a peer broke the protocol or is gone");
    match error {
        // RFC 6455: the top bit of a length is zero.
        Error::Capacity(CapacityError::MessageTooLong { size, .. }) if *size > usize::MAX / 2 => {
            End::Broken(CloseCode::Protocol, "the frame breaks the protocol")
        }
        Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            End::Broken(CloseCode::Size, "the frame is too large")
        }
        Error::Utf8(_) => End::Broken(CloseCode::Invalid, "the text is not UTF-8"),
        Error::Protocol(_) | Error::Capacity(_) => {
            End::Broken(CloseCode::Protocol, "the frame breaks the protocol")
        }
        _ => End::Theirs,
    }
}

/// Says why, and waits a little for the peer: a socket that is closed with unread data in it is
/// reset, and the peer might not see the reason.
async fn finish<S>(mut sink: Sink<S>, mut stream: Stream<S>, format: Format, end: End)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let prompt = matches!(end, End::Ours(reason) if reason.is_prompt());
    let closing = async {
        match end {
            End::Theirs => (),
            End::Broken(code, reason) => {
                sink.send(close_frame(code, reason)).await?;
                return discard(sink, stream).await;
            }
            End::Ours(reason) => {
                let row = code::close(reason);
                sink.feed(format.closing(reason)).await?;
                sink.send(close_frame(row.websocket.into(), row.reason)).await?;
            }
        }
        while stream.next().await.is_some_and(|message| message.is_ok()) {}
        sink.close().await
    };
    let patience = if prompt { PROMPT_CLOSE_WAIT } else { CLOSE_WAIT };
    if let Ok(Err(error)) = timeout(patience, closing).await {
        debug!(%error, "a peer was gone before the end");
    }
}

/// Reads the rest of what broke the protocol without understanding it.
async fn discard<S>(sink: Sink<S>, stream: Stream<S>) -> Result<(), Error>
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
