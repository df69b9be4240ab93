//! The accept loop: from a port to requests.
//!
//! `axum::serve` has no deadline for a request's head and no setting for its size, no end for
//! connections that outlast the drain, and it spawns their tasks itself. The loop here sets all
//! three, and `Tasks` owns the task of every connection. It also sets `TCP_NODELAY`: without it
//! five requests sent at once take 39 ms instead of one. No error of a single connection ends the
//! loop.

mod address;
mod inherited;
mod preamble;
mod proxy_header;
mod serving;
mod socket;

use std::{
    fmt,
    future::{pending, poll_fn},
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, response::Response};
use http::Request;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::rt::TokioTimer;
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use tracing::{debug, warn};

pub use self::address::{BindError, BoundAddress};
pub use self::inherited::{InheritedSockets, ListenPurpose};
use self::{preamble::Preamble, serving::ConnectionSettings, socket::ListenSocket};
use super::{
    accept_pause::AcceptPause,
    client_address::{SocketPeer, TrustedProxies},
    socket_stream::SocketStream,
};
use crate::{
    domain::{Limits, ListenAddress, ProxyProtocol},
    tasks::Tasks,
};

/// A request's head. A longer one is answered with 431, and so is one with more than 100 headers,
/// which is hyper's own limit.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// How much longer than `stall_max` the system waits for a peer that acknowledges nothing.
const USER_TIMEOUT_MARGIN: Duration = Duration::from_secs(5);
/// Connections over the limit that are answered at one time. Others are closed without an answer.
const CONCURRENT_REJECTIONS_MAX: usize = 64;
/// How long the answer to one of these may take.
const REJECTION_WAIT_MAX: Duration = Duration::from_secs(1);
/// The delay before the next attempt when the system has no socket left.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);
/// The shortest time between two log lines about the same failure.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// The answer to a connection over the limit.
const UNAVAILABLE_RESPONSE: &str = concat!(
    "HTTP/1.1 503 Service Unavailable\r\n",
    "content-type: application/json\r\n",
    "content-length: 75\r\n",
    "retry-after: 5\r\n",
    "connection: close\r\n",
    "\r\n",
    r#"{"code":"unavailable","message":"this node has all the connections it may"}"#,
);

/// What answers the requests. Each connection has a clone.
pub trait Handler: Clone + Send + Sync + 'static {
    /// Answers a request of a peer. The future is a part of the task of the connection.
    fn handle(
        &self,
        request: Request<Incoming>,
        peer: SocketPeer,
    ) -> impl Future<Output = Response<Body>> + Send + 'static;
}

/// Open sockets, and the limits for their connections together.
pub struct Listener {
    sockets: Vec<(ListenSocket, BoundAddress)>,
    connections: ConnectionSettings,
    /// The proxies whose connections begin with a header, if there is one.
    announced_by: Option<TrustedProxies>,
    tls: Option<TlsAcceptor>,
    connection_permits: Arc<Semaphore>,
    rejection_permits: Arc<Semaphore>,
}

impl fmt::Debug for Listener {
    /// Leaves out the certificates.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("sockets", &self.sockets).finish_non_exhaustive()
    }
}

impl Listener {
    /// Opens the sockets of all `addresses`. Connections wait in the backlog until
    /// [`run`](Self::run) takes them. The files of Unix sockets get `unix_mode`.
    pub fn bind(
        addresses: &[ListenAddress],
        unix_mode: u32,
        limits: &Limits,
    ) -> Result<Self, BindError> {
        let mut none = InheritedSockets::default();
        Self::bind_with((&mut none, ListenPurpose::Clients), addresses, unix_mode, limits)
    }

    /// The same, where one of `addresses` may be the sockets that this process inherits for a purpose.
    pub fn bind_with(
        (inherited, purpose): (&mut InheritedSockets, ListenPurpose),
        addresses: &[ListenAddress],
        unix_mode: u32,
        limits: &Limits,
    ) -> Result<Self, BindError> {
        let mut sockets = Vec::new();
        for address in addresses {
            let failed = |source| BindError { address: address.clone(), source };
            let is_inherited = *address == ListenAddress::Inherited;
            let handed_in = is_inherited.then(|| inherited.of_listener(purpose));
            let opened = ListenSocket::open(address, addresses, (unix_mode, handed_in));
            for socket in opened.map_err(failed)? {
                let address = socket.address().map_err(failed)?;
                sockets.push((socket, BoundAddress { address, is_tls: false }));
            }
        }
        let outlives = |it: &ListenAddress| *it == ListenAddress::Inherited;
        let pause = addresses.iter().all(outlives).then(AcceptPause::default);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            // `RequestClock` has the deadlines.
            .header_read_timeout(None)
            // One small copy costs less than a write of two parts. Larger answers are rare.
            .writev(false)
            .max_buf_size(HEAD_BYTES_MAX);
        Ok(Self {
            sockets,
            connections: ConnectionSettings {
                http,
                stall_max: limits.write_stall_max,
                head_wait_max: limits.request_head_wait_max,
                keep_alive_max: limits.keep_alive_max,
                pause,
            },
            announced_by: None,
            tls: None,
            connection_permits: semaphore(limits.connections_max),
            rejection_permits: semaphore(CONCURRENT_REJECTIONS_MAX),
        })
    }

    /// Expects that connections of trusted proxies begin with a header, if the protocol is on.
    #[must_use]
    pub fn with_proxies(self, proxies: TrustedProxies, protocol: ProxyProtocol) -> Self {
        let announced_by = (protocol == ProxyProtocol::On).then_some(proxies);
        Self { announced_by, ..self }
    }

    /// Accepts nothing but TLS on TCP ports. A Unix socket does not leave the machine.
    #[must_use]
    pub fn with_tls(mut self, config: Arc<ServerConfig>) -> Self {
        for (_, address) in &mut self.sockets {
            address.is_tls = address.address.tcp().is_some();
        }
        Self { tls: Some(config.into()), ..self }
    }

    /// Where it listens, with the ports that the system chose.
    pub fn addresses(&self) -> Vec<BoundAddress> {
        self.sockets.iter().map(|(_, address)| address.clone()).collect()
    }

    /// What ends the accepting before the drain, if another process may accept on the same sockets.
    pub fn pause(&self) -> Option<AcceptPause> {
        self.connections.pause.clone()
    }

    /// Answers requests with `handler` until the drain begins, and then closes the port. Each
    /// connection has its own task, which finishes the current request and then closes.
    pub async fn run<H: Handler>(self, handler: H, tasks: Tasks) {
        self.accept(handler, &tasks).await;
        // The sockets stay open after a pause, too.
        tasks.draining().await;
    }

    /// Accepts connections until the pause or the drain.
    async fn accept<H: Handler>(&self, handler: H, tasks: &Tasks) {
        let pause = self.connections.pause.as_ref();
        let _accepting = pause.map(AcceptPause::count);
        let (mut accept_log, mut limit_log) = (LogThrottle::default(), LogThrottle::default());
        let mut next = 0;
        loop {
            let accepted = tokio::select! {
                biased;
                () = tasks.draining() => return,
                () = paused(pause) => return,
                accepted = poll_fn(|cx| self.poll_accept(&mut next, cx)) => accepted,
            };
            match accepted {
                Ok(accepted) => {
                    self.serve_or_reject(accepted, &handler, tasks, &mut limit_log);
                }
                Err(error) if is_connection_error(&error) => (),
                Err(error) => {
                    if accept_log.is_due() {
                        warn!(error = %error, "cannot accept connections for now");
                    }
                    wait_to_retry(tasks).await;
                }
            }
        }
    }

    /// The next connection of any socket. The one after the last that had one is asked first.
    fn poll_accept(
        &self,
        next: &mut usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(SocketStream, SocketPeer)>> {
        let count = self.sockets.len();
        for (place, (socket, _)) in self.sockets.iter().enumerate().cycle().skip(*next).take(count)
        {
            if let Poll::Ready(accepted) = socket.poll_accept(cx) {
                *next = (place + 1) % count;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }

    /// Starts the task of a connection if the limit permits, and rejects it otherwise.
    fn serve_or_reject<H: Handler>(
        &self,
        (stream, peer): (SocketStream, SocketPeer),
        handler: &H,
        tasks: &Tasks,
        limit_log: &mut LogThrottle,
    ) {
        if let Ok(permit) = Arc::clone(&self.connection_permits).try_acquire_owned() {
            self.set_socket_options(&stream);
            let preamble = self.preamble(&stream, peer);
            let (connections, accepted) = (self.connections.clone(), (stream, permit, peer));
            let unanswered = connections.pause.as_ref().map(AcceptPause::count);
            let (handler, owner) = (handler.clone(), tasks.clone());
            let Some(preamble) = preamble else {
                let served = connections.serve(accepted, unanswered, handler, owner);
                tasks.spawn("connection", served);
                return;
            };
            tasks.spawn("connection", async move {
                let (stream, permit, peer) = accepted;
                let read = Box::pin(preamble.read((stream, peer), &owner)).await;
                if let Some((stream, peer)) = read {
                    let accepted = (stream, permit, peer);
                    connections.serve(accepted, unanswered, handler, owner).await;
                }
            });
            return;
        }
        if limit_log.is_due() {
            warn!("all places are taken: see limits.connections_max");
        }
        self.reject(stream, tasks);
    }

    /// What the connection of this peer begins with before its first request.
    fn preamble(&self, stream: &SocketStream, peer: SocketPeer) -> Option<Preamble> {
        let is_tcp = matches!(stream, SocketStream::Tcp(_));
        let preamble = Preamble {
            has_proxy_header: self.announced_by.as_ref().is_some_and(|it| it.trusts_peer(peer)),
            tls: self.tls.clone().filter(|_| is_tcp),
            wait_max: self.connections.head_wait_max,
        };
        (!preamble.is_empty()).then_some(preamble)
    }

    /// Sends small frames at once, and lets the system close the socket of a vanished peer.
    fn set_socket_options(&self, stream: &SocketStream) {
        let SocketStream::Tcp(stream) = stream else { return };
        let user_timeout = self.connections.stall_max + USER_TIMEOUT_MARGIN;
        let ready = stream
            .set_nodelay(true)
            .and_then(|()| SockRef::from(stream).set_tcp_user_timeout(Some(user_timeout)));
        if let Err(error) = ready {
            debug!(error = %error, "a connection ended before it began");
        }
    }

    /// Answers 503 to a bounded number of connections at a time. One with TLS is closed: a handshake
    /// would cost more than what is refused.
    fn reject(&self, stream: SocketStream, tasks: &Tasks) {
        if self.tls.is_some() && matches!(stream, SocketStream::Tcp(_)) {
            return;
        }
        if let Ok(permit) = Arc::clone(&self.rejection_permits).try_acquire_owned() {
            tasks.spawn("connection rejection", async move {
                let _permit = permit;
                drop(timeout(REJECTION_WAIT_MAX, write_unavailable(stream)).await);
            });
        }
    }
}

/// Waits for the begin of a pause.
async fn paused(pause: Option<&AcceptPause>) {
    match pause {
        Some(pause) => pause.begun().await,
        None => pending().await,
    }
}

/// Answers 503 without reading the request, and reads it afterwards: closing a socket with unread
/// bytes sends a reset, which discards the answer.
async fn write_unavailable(mut stream: SocketStream) -> io::Result<()> {
    stream.write_all(UNAVAILABLE_RESPONSE.as_bytes()).await?;
    stream.shutdown().await?;
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// Whether accepting failed because of the next connection, and not because of the port.
fn is_connection_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Waits until the system may have a socket again.
async fn wait_to_retry(tasks: &Tasks) {
    tokio::select! {
        () = sleep(ACCEPT_RETRY_DELAY) => (),
        () = tasks.draining() => (),
    }
}

fn semaphore(permits: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)))
}

/// Limits how often a repeated failure is logged.
#[derive(Default)]
struct LogThrottle {
    last: Option<Instant>,
}

impl LogThrottle {
    /// Whether to log it now.
    fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let due = self.last.is_none_or(|last| now - last >= LOG_INTERVAL);
        if due {
            self.last = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests;
