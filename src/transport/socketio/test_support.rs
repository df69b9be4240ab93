//! The whole stack in memory: requests, frames, the engine and a chat, without a network.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use axum::body::Body;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{Namespaces, SocketIoTransport};
use crate::{
    auth::KeyTokens,
    bus::{LocalBus, MemoryBus},
    chat::{
        Backends, Chat, ChatParts, ChatRules, DrainPace, Replaceable, RequestRules, RetentionRules,
        ports::{Bus, NoApiKeys, NoMetrics, Nodes, Store},
    },
    clock::{RandomIds, SystemClock},
    domain::{
        DevicePolicy, EmitterMode, GuestDevices, Guests, Limits, NodeId, QueryTokens, RoomRules,
        Secret, SpacePattern, WebSocketCompression,
    },
    store::{MemoryNodes, MemoryStore},
    tasks::Tasks,
    transport::{
        TransportParts,
        client_address::{ClientAddress, SocketPeer, TrustedProxies},
        lanes::Lanes,
        origin::Origins,
    },
};

/// The address of all clients.
pub(in crate::transport::socketio) fn local() -> ClientAddress {
    let peer = SocketPeer { address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), is_tls: false };
    ClientAddress::decide(peer, &HeaderMap::new(), &TrustedProxies::none())
}

/// The longest wait in a test.
pub(super) const TEST_TIMEOUT: Duration = Duration::from_mins(2);

/// A transport with a chat behind it.
pub(super) struct Stack {
    pub(super) chat: Arc<Chat>,
    pub(super) tasks: Tasks,
    pub(super) transport: Arc<SocketIoTransport>,
}

impl Stack {
    pub(super) fn start() -> Self {
        Self::with_limits(Limits::default())
    }

    pub(super) fn with_limits(limits: Limits) -> Self {
        Self::with_engines(
            limits,
            Arc::new(MemoryStore::default()),
            (
                Arc::new(LocalBus::default()),
                Arc::new(MemoryNodes::single(NodeId::from_raw("alone"))),
            ),
            NodeId::from_raw("test"),
        )
    }

    /// Two nodes that know each other, and what carries announcements between them.
    pub(super) async fn two_nodes(limits: Limits) -> ([Self; 2], Arc<MemoryBus>) {
        let name = |n: usize| NodeId::from_raw(&format!("n{n}"));
        let (store, nodes) = (MemoryStore::new(), MemoryNodes::single(name(0)));
        let bus = MemoryBus::new(NodeId::from_raw("unused"));
        let stacks = [0, 1].map(|n| {
            let nodes = nodes.add_node(name(n));
            let store = Arc::new(store.shared_by(&nodes));
            let engines = (bus.add_node(name(n)) as Arc<dyn Bus>, Arc::new(nodes) as Arc<_>);
            let stack = Self::with_engines(limits.clone(), store, engines, name(n));
            let chat = || Arc::clone(&stack.chat);
            stack.tasks.spawn("cluster receiver", chat().receive());
            stack.tasks.spawn("cluster repair", chat().repair());
            stack.tasks.spawn("cluster heartbeat", chat().publish_heartbeats());
            stack.tasks.spawn("node lease", chat().maintain_lease());
            stack.tasks.spawn("hub timers", chat().run_timers());
            stack
        });
        let known = async {
            while !stacks.iter().all(|it| it.chat.has_peers()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(TEST_TIMEOUT, known).await.expect("the nodes know each other");
        (stacks, bus)
    }

    fn with_engines(
        limits: Limits,
        store: Arc<dyn Store>,
        (bus, nodes): (Arc<dyn Bus>, Arc<dyn Nodes>),
        node: NodeId,
    ) -> Self {
        let spaces = ["/shop", "/team-*"].map(|it| SpacePattern::parse(it).unwrap());
        let secret = Secret::from_raw(&[7; 32]);
        let (chat, writer) = Chat::new(ChatParts {
            store,
            bus,
            nodes,
            tokens: Arc::new(KeyTokens::new(&secret, Arc::new(SystemClock))),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            metrics: Arc::new(NoMetrics),
            backends: Backends::default(),
            api_keys: Arc::new(NoApiKeys),
            webhooks: None,
            tracer: None,
            rules: ChatRules {
                requests: Replaceable::new(RequestRules {
                    limits: Arc::new(limits),
                    ..RequestRules::default()
                }),
                guests: Guests::On,
                guest_lifetime: Duration::from_hours(1),
                guest_devices: GuestDevices::Accepted,
                devices: DevicePolicy::Many,
                spaces: spaces.to_vec(),
                emitters: EmitterMode::Off,
                clock_interval: None,
                rooms: Replaceable::new(RoomRules::default()),
                retention: RetentionRules::default(),
                node,
                host: "test".into(),
                reserved: Vec::new(),
            },
        });
        let tasks = Tasks::new();
        // In separate tasks, because the journal ends after all others.
        Tasks::new().spawn("journal", writer.run(CancellationToken::new()));
        let origins = Arc::new(Origins::new(vec!["https://good.example".to_owned()]));
        let parts = TransportParts {
            origins,
            in_query: QueryTokens::Accepted,
            compression: WebSocketCompression::Off,
            tasks: tasks.clone(),
            lanes: Lanes::start(&tasks),
        };
        let transport =
            SocketIoTransport::new(Arc::clone(&chat), Namespaces::of_spaces(&spaces), parts);
        Self { chat, tasks, transport: Arc::new(transport) }
    }

    /// Refuses new connections, and closes the others at once.
    pub(super) async fn drain(&self) {
        self.chat.drain();
        self.chat.refuse();
        let pace = DrainPace { closes_within: Duration::ZERO, returns_within: Duration::ZERO };
        self.chat.close_connections(pace).await;
    }

    /// Sends one request without a connection.
    pub(super) async fn send(&self, request: Request<Body>) -> Response<Body> {
        let response = self.transport.handle(request, local());
        timeout(TEST_TIMEOUT, response).await.expect("an answer")
    }

    /// `GET` or `POST` on a query.
    pub(super) async fn call(
        &self,
        method: Method,
        query: &str,
        body: impl Into<Body>,
    ) -> (StatusCode, String) {
        let uri = format!("/socket.io/?{query}");
        let request = Request::builder().method(method).uri(uri).body(body.into()).unwrap();
        read(self.send(request).await).await
    }

    /// Opens a polling session and returns the query of its further requests.
    pub(super) async fn open(&self, eio: u8) -> String {
        let query = format!("EIO={eio}&transport=polling");
        let (status, body) = self.call(Method::GET, &query, "").await;
        assert_eq!(status, StatusCode::OK);
        let sid = body.split("\"sid\":\"").nth(1).and_then(|it| it.split('"').next()).unwrap();
        format!("{query}&sid={sid}")
    }

    pub(super) async fn get(&self, query: &str) -> (StatusCode, String) {
        self.call(Method::GET, query, "").await
    }

    pub(super) async fn post(&self, query: &str, body: impl Into<Body>) -> (StatusCode, String) {
        self.call(Method::POST, query, body).await
    }

    /// Requests a WebSocket. Returns the status, and the stream after the response.
    pub(super) async fn open_websocket(
        &self,
        query: &str,
        buffer: usize,
    ) -> (StatusCode, DuplexStream) {
        let (server, mut client) = duplex(buffer);
        let transport = Arc::clone(&self.transport);
        let service = service_fn(move |request| {
            let transport = Arc::clone(&transport);
            async move { Ok::<_, Infallible>(transport.handle(request, local()).await) }
        });
        self.tasks.spawn("test connection", async move {
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(server), service);
            connection.with_upgrades().await.ok();
        });
        let head = format!(
            "GET /socket.io/?{query} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        client.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(client.read_u8().await.unwrap());
        }
        let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
        (status, client)
    }

    /// Waits until `count` connections exist.
    pub(super) async fn wait_for_connections(&self, count: usize) {
        let reached = async {
            while self.chat.connections() != count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(TEST_TIMEOUT, reached).await.unwrap_or_else(|_| {
            panic!("{} connections exist, not {count}", self.chat.connections());
        });
    }
}

/// A new session on a WebSocket.
pub(super) const NEW: &str = "EIO=4&transport=websocket";

/// Polls until a payload contains `what`.
pub(super) async fn poll_for(stack: &Stack, polling_query: &str, what: &str) -> String {
    loop {
        let (status, body) = stack.get(polling_query).await;
        assert_eq!(status, StatusCode::OK, "before {what}: {body}");
        if body.contains(what) {
            return body;
        }
    }
}

/// Waits until the session is unknown.
pub(super) async fn wait_for_session_end(stack: &Stack, polling_query: &str) {
    let unknown = async {
        while stack.get(polling_query).await.0 != StatusCode::BAD_REQUEST {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(TEST_TIMEOUT, unknown).await.expect("the end of the session");
}

/// Opens a session and a connection on it, with the name `user`.
pub(super) async fn connect(stack: &Stack, buffer: usize, user: &str) -> DuplexStream {
    let (status, mut client) = stack.open_websocket(NEW, buffer).await;
    assert_eq!(status, StatusCode::SWITCHING_PROTOCOLS);
    client.send_text("40").await;
    client.receive_containing("40{").await;
    client.send_text(&format!(r#"429999["new user","{user}"]"#)).await;
    client.receive_containing("439999[true").await;
    client
}

/// Opens a polling session and a connection on it.
pub(super) async fn connect_polling(stack: &Stack) -> (String, String) {
    let polling_query = stack.open(4).await;
    stack.post(&polling_query, "40").await;
    while !stack.get(&polling_query).await.1.contains("40{") {}
    stack.wait_for_connections(1).await;
    stack.post(&polling_query, "429[\"new user\",\"ann\"]\u{1e}3").await;
    while !stack.get(&polling_query).await.1.contains("439[") {}
    let websocket_query = polling_query.replace("transport=polling", "transport=websocket");
    (polling_query, websocket_query)
}

pub(super) async fn read(response: Response<Body>) -> (StatusCode, String) {
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// A client's side of a WebSocket.
pub(super) trait WebSocketFrames {
    async fn send_text(&mut self, text: &str);
    async fn receive_text(&mut self) -> Option<String>;
    async fn receive_containing(&mut self, what: &str) -> String;
}

impl WebSocketFrames for DuplexStream {
    async fn send_text(&mut self, text: &str) {
        let mut frame = match u16::try_from(text.len()).unwrap() {
            short @ 0..=125 => vec![0x81, 0x80 | u8::try_from(short).unwrap()],
            long => [&[0x81, 0xfe], &long.to_be_bytes()[..]].concat(),
        };
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.write_all(&frame).await.unwrap();
    }

    /// The next text, or nothing when the server closes.
    async fn receive_text(&mut self) -> Option<String> {
        let reading = async {
            let kind = self.read_u8().await.ok()?;
            let length = match self.read_u8().await.ok()? {
                126 => usize::from(self.read_u16().await.ok()?),
                127 => usize::try_from(self.read_u64().await.ok()?).unwrap(),
                short => usize::from(short),
            };
            let mut text = vec![0; length];
            self.read_exact(&mut text).await.ok()?;
            (kind == 0x81).then(|| String::from_utf8(text).unwrap())
        };
        timeout(TEST_TIMEOUT, reading).await.expect("a frame")
    }

    /// The next text that contains `what`.
    async fn receive_containing(&mut self, what: &str) -> String {
        loop {
            let text = self.receive_text().await.unwrap_or_else(|| panic!("closed before {what}"));
            if text.contains(what) {
                return text;
            }
        }
    }
}
