//! The accept loop over real sockets.

use std::{convert::Infallible, net::SocketAddr};

use axum::{
    Router,
    body::{Body, Bytes},
    http::StatusCode,
    response::Response,
    routing::get,
};
use futures_util::{FutureExt as _, stream};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::{TcpStream, UnixStream},
    sync::mpsc,
};
use tower::ServiceExt as _;

use super::*;
use crate::transport::socket::ClientSocket;

mod proxies;

impl Handler for Router {
    fn handle(
        &self,
        request: Request<Incoming>,
        _peer: SocketPeer,
    ) -> impl Future<Output = Response<Body>> + Send + 'static {
        let response = self.clone().oneshot(request);
        async { response.await.unwrap_or_else(|never| match never {}) }
    }
}

/// The longest wait for an event that must happen.
const TEST_TIMEOUT: Duration = Duration::from_secs(5);
/// A deadline of the server that a test waits for.
const SHORT: Duration = Duration::from_millis(200);
/// The error of Linux when a process has reached its limit of open files.
const EMFILE: i32 = 24;

/// A free port.
fn local() -> ListenAddress {
    ListenAddress::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)))
}

fn address_of(listener: &Listener) -> SocketAddr {
    listener.addresses()[0].address.tcp().unwrap()
}

/// A server on a free port.
struct Server {
    address: SocketAddr,
    tasks: Tasks,
}

impl Server {
    fn start(limits: &Limits, router: Router) -> Self {
        Self::start_with(Listener::bind(&[local()], 0o660, limits).unwrap(), router)
    }

    fn start_with(listener: Listener, router: Router) -> Self {
        let (address, tasks) = (address_of(&listener), Tasks::new());
        tasks.spawn_vital("listener", listener.run(router, tasks.clone()));
        Self { address, tasks }
    }

    fn serving_hello(limits: &Limits) -> Self {
        Self::start(limits, Router::new().route("/", get(async || "hello")))
    }

    async fn connect(&self) -> Client {
        Client(BufReader::new(TcpStream::connect(self.address).await.unwrap()))
    }

    async fn stop(self) {
        assert_eq!(self.tasks.finish(TEST_TIMEOUT).await, Ok(()));
    }
}

/// A client that writes requests as text.
struct Client(BufReader<TcpStream>);

impl Client {
    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    async fn get(&mut self) -> u16 {
        self.send("GET / HTTP/1.1\r\nHost: here\r\n\r\n").await;
        self.status().await.unwrap()
    }

    /// Reads the next answer and returns its status, or `None` when the server has closed.
    async fn status(&mut self) -> Option<u16> {
        let head = timeout(TEST_TIMEOUT, self.head()).await.expect("an answer")?;
        let length = head.iter().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.0.read_exact(&mut body).await.unwrap();
        Some(head[0].split(' ').nth(1).unwrap().parse().unwrap())
    }

    async fn head(&mut self) -> Option<Vec<String>> {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            // A reset ends the connection as well.
            let length = self.0.read_line(&mut line).await.unwrap_or(0);
            match line.trim_end() {
                _ if length == 0 => return None,
                "" => return Some(head),
                line => head.push(line.to_owned()),
            }
        }
    }

    async fn is_closed(&mut self) -> bool {
        self.status().await.is_none()
    }
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let server = Server::serving_hello(&Limits::default());
    let mut client = server.connect().await;
    for _ in 0..3 {
        assert_eq!(client.get().await, 200);
    }
    server.stop().await;
}

#[tokio::test]
async fn requests_sent_at_once_are_answered_at_once_and_in_order() {
    let server = Server::serving_hello(&Limits::default());
    let mut client = server.connect().await;
    client.send(&"GET / HTTP/1.1\r\nHost: here\r\n\r\n".repeat(5)).await;
    for _ in 0..5 {
        assert_eq!(client.status().await, Some(200));
    }
    server.stop().await;
}

#[tokio::test]
async fn slow_and_silent_connections_time_out() {
    let limits =
        Limits { request_head_wait_max: SHORT, keep_alive_max: SHORT, ..Limits::default() };
    let server = Server::serving_hello(&limits);
    let mut silent = server.connect().await;
    let mut slow = server.connect().await;
    slow.send("GET / HTTP/1.1\r\nHost:").await;
    let mut idle = server.connect().await;
    assert_eq!(idle.get().await, 200);
    for client in [&mut silent, &mut slow, &mut idle] {
        assert!(client.is_closed().await);
    }
    server.stop().await;
}

#[tokio::test]
async fn an_idle_connection_outlives_the_deadline_of_a_head() {
    let limits = Limits { request_head_wait_max: SHORT, ..Limits::default() };
    let server = Server::serving_hello(&limits);
    let mut idle = server.connect().await;
    assert_eq!(idle.get().await, 200);
    // The server closes it after the deadline at which `idle` would be closed, too.
    let mut silent = server.connect().await;
    assert!(silent.is_closed().await);
    assert_eq!(idle.get().await, 200);
    let mut slow = server.connect().await;
    assert_eq!(slow.get().await, 200);
    slow.send("GET / HTTP/1.1\r\nHost:").await;
    assert!(slow.is_closed().await);
    server.stop().await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_answered_431() {
    let server = Server::serving_hello(&Limits::default());
    let headers = |count: usize| {
        format!("GET / HTTP/1.1\r\nHost: here\r\n{}\r\n", "x: y\r\n".repeat(count - 1))
    };
    let long = |size: usize| format!("GET /?{} HTTP/1.1\r\nHost: here\r\n\r\n", "x".repeat(size));
    for (request, status) in [
        (headers(100), 200),
        (headers(101), 431),
        (headers(2000), 431),
        (long(8 << 10), 200),
        (long(17 << 10), 431),
    ] {
        let mut client = server.connect().await;
        client.send(&request).await;
        assert_eq!(client.status().await, Some(status), "{} bytes", request.len());
    }
    server.stop().await;
}

#[tokio::test]
async fn a_drain_closes_the_port_and_idle_connections() {
    let server = Server::serving_hello(&Limits::default());
    let (mut used, mut fresh) = (server.connect().await, server.connect().await);
    assert_eq!(used.get().await, 200);
    let address = server.address;
    server.stop().await;
    assert!(used.is_closed().await);
    assert!(fresh.is_closed().await);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_drain_lets_a_request_finish() {
    let (arrived, mut arrival) = mpsc::channel(1);
    let tasks = Tasks::new();
    let draining = tasks.clone();
    let router = Router::new().route(
        "/",
        get(async move || {
            arrived.send(()).await.unwrap();
            draining.draining().await;
            "bye"
        }),
    );
    let listener = Listener::bind(&[local()], 0o660, &Limits::default()).unwrap();
    let server = Server { address: address_of(&listener), tasks: tasks.clone() };
    tasks.spawn_vital("listener", listener.run(router, tasks.clone()));
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: here\r\n\r\n").await;
    arrival.recv().await.unwrap();
    server.stop().await;
    assert_eq!(client.status().await, Some(200));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_drain_closes_connections_with_unfinished_requests() {
    let server = Server::serving_hello(&Limits::default());
    let mut slow = server.connect().await;
    slow.send("GET / HTTP/1.1\r\nHost:").await;
    let mut other = server.connect().await;
    assert_eq!(other.get().await, 200);
    assert_eq!(server.tasks.finish(SHORT).await, Ok(()));
    assert!(slow.is_closed().await);
}

#[tokio::test]
async fn a_connection_beyond_the_limit_gets_503_until_one_closes() {
    let server = Server::serving_hello(&Limits { connections_max: 1, ..Limits::default() });
    let mut first = server.connect().await;
    assert_eq!(first.get().await, 200);
    let mut second = server.connect().await;
    assert_eq!(second.get().await, 503);
    assert!(second.is_closed().await);
    drop((first, second));
    let place = async { while server.connect().await.get().await != 200 {} };
    timeout(TEST_TIMEOUT, place).await.expect("the first one's place");
    server.stop().await;
}

#[tokio::test]
async fn an_upgraded_connection_keeps_its_permit() {
    let (sender, mut streams) = mpsc::channel(1);
    let tasks = Tasks::new();
    let task_owner = tasks.clone();
    let upgrade = get(async move |mut request: Request<Body>| {
        let upgrade = hyper::upgrade::on(&mut request);
        task_owner.spawn("upgrade", async move {
            sender.send(upgrade.await.unwrap()).await.unwrap();
        });
        let answer = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
        answer
            .header("connection", "upgrade")
            .header("upgrade", "echo")
            .body(Body::empty())
            .unwrap()
    });
    let limits = Limits { connections_max: 1, ..Limits::default() };
    let server = Server::start(&limits, Router::new().route("/", upgrade));
    let mut client = server.connect().await;
    client
        .send("GET / HTTP/1.1\r\nHost: here\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        .await;
    assert_eq!(client.status().await, Some(101));
    let stream = streams.recv().await.unwrap();
    assert_eq!(server.connect().await.get().await, 503);
    let parts = stream.downcast::<TokioIo<ClientSocket>>().expect("the socket that was accepted");
    drop(parts);
    assert!(client.is_closed().await);
    server.stop().await;
    assert_eq!(tasks.finish(TEST_TIMEOUT).await, Ok(()));
}

#[tokio::test]
async fn a_peer_that_stops_reading_is_disconnected() {
    let (ended, mut end) = mpsc::channel::<Infallible>(1);
    let flood = get(async move || {
        let block = Bytes::from(vec![b'x'; 64 << 10]);
        Body::from_stream(stream::repeat_with(move || {
            let _alive = &ended;
            Ok::<_, Infallible>(block.clone())
        }))
    });
    let limits = Limits { write_stall_max: SHORT, ..Limits::default() };
    let listener = Listener::bind(&[local()], 0o660, &limits).unwrap();
    let (address, tasks) = (address_of(&listener), Tasks::new());
    let server = Server { address, tasks: tasks.clone() };
    // The listener drops its router, so that only the connection holds `ended`.
    tasks.spawn("listener", listener.run(Router::new().route("/", flood), tasks.clone()));
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: here\r\n\r\n").await;
    assert_eq!(client.head().await.unwrap()[0], "HTTP/1.1 200 OK");
    tasks.drain();
    timeout(TEST_TIMEOUT, end.recv()).await.expect("the connection was cut");
    server.stop().await;
}

#[tokio::test]
async fn all_addresses_share_the_limit_of_connections() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("socket");
    let limits = Limits { connections_max: 2, ..Limits::default() };
    let addresses = [local(), ListenAddress::Unix(path.clone())];
    let listener = Listener::bind(&addresses, 0o660, &limits).unwrap();
    let (shown, tasks) = (listener.addresses(), Tasks::new());
    let address = shown[0].address.tcp().unwrap();
    assert_eq!(shown[0].to_string(), format!("http://{address}"));
    assert_eq!(shown[1].to_string(), format!("unix:{}", path.display()));
    let router = Router::new().route("/", get(async || "hello"));
    tasks.spawn_vital("listener", listener.run(router, tasks.clone()));
    let server = Server { address, tasks };
    let mut tcp = server.connect().await;
    assert_eq!(tcp.get().await, 200);
    let mut unix = UnixStream::connect(&path).await.unwrap();
    unix.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
    let mut head = [0; 15];
    timeout(TEST_TIMEOUT, unix.read_exact(&mut head)).await.unwrap().unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    assert_eq!(server.connect().await.get().await, 503);
    server.stop().await;
    assert!(!path.exists());
}

#[test]
fn running_out_of_files_is_not_a_connection_error() {
    assert!(is_connection_error(&io::ErrorKind::ConnectionAborted.into()));
    assert!(!is_connection_error(&io::Error::from_raw_os_error(EMFILE)));
}

#[tokio::test(start_paused = true)]
async fn repeated_log_lines_are_throttled() {
    let mut throttle = LogThrottle::default();
    assert!(throttle.is_due());
    assert!(!throttle.is_due());
    tokio::time::advance(LOG_INTERVAL).await;
    assert!(throttle.is_due());
}

#[test]
fn the_unavailable_response_has_the_right_content_length() {
    let (head, body) = UNAVAILABLE_RESPONSE.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
}

#[tokio::test]
async fn after_a_pause_open_connections_have_one_more_answer_and_new_ones_wait() {
    let mut listener = Listener::bind(&[local()], 0o660, &Limits::default()).unwrap();
    assert!(listener.pause().is_none(), "its socket ends with the process");
    let pause = listener.connections.pause.insert(AcceptPause::default()).clone();
    let server = Server::start_with(listener, Router::new().route("/", get(async || "hello")));
    let mut silent = server.connect().await;
    let mut kept = server.connect().await;
    // The sockets are accepted in their order.
    assert_eq!(kept.get().await, 200);
    pause.begin();
    assert!(pause.answered().now_or_never().is_none(), "one has sent nothing yet");
    let mut late = server.connect().await;
    late.send("GET / HTTP/1.1\r\nHost: here\r\n\r\n").await;
    for client in [&mut kept, &mut silent] {
        assert_eq!(client.get().await, 200);
        assert!(client.is_closed().await);
    }
    timeout(TEST_TIMEOUT, pause.answered()).await.expect("the end of the wait");
    server.stop().await;
    assert!(late.is_closed().await, "no answer: it was never accepted");
}
