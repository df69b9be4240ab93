//! The transport for Socket.IO clients: everything under `/socket.io/`, and under `/socket.io-msgpack/`
//! for those with `socket.io-msgpack-parser`, whose packets are translated below the engine.
//!
//! socketioxide implements the protocol; this folder protects it. Every WebSocket is upgraded here,
//! with a monitored stream below the engine: it can pause and abort, and it detects a peer that
//! stops reading. Every polling request passes through here, so bodies are limited before they are
//! read, and a session has one POST in progress at a time. Events from a client enter an ordered,
//! bounded inbox per connection. All decisions about them are made in `chat`.
//!
//! An Engine.IO session id is a password: knowing it is enough to post as its user. The ids stay in
//! this folder and are never logged.

pub mod admin;
mod backpressure;
mod compression;
#[cfg(test)]
mod compression_tests;
mod connect_error;
mod connection;
mod engine;
mod event_names;
mod first_ping;
mod frames;
mod inbox;
mod listeners;
mod monitored_stream;
mod moving;
mod namespace;
mod outbox;
mod packet_check;
mod packet_head;
mod packets;
mod payload;
mod poll_payload;
mod polling;
mod polling_requests;
mod polling_state;
mod posting;
mod probe;
mod recovery;
#[cfg(test)]
mod refusal_tests;
mod registration;
mod registry;
mod request;
mod serving;
mod session;
mod spaces;
#[cfg(test)]
mod test_support;
#[cfg(test)]
mod tests;
mod upgrade;

use std::{fmt, sync::Arc};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::{Request, Response};

use self::{
    admin::AdminUi,
    polling_state::PollingState,
    recovery::RecoveryTable,
    registry::SessionRegistry,
    request::{EngineRejection, EngineRequest, Parser, Version},
    session::{EngineSession, Handshake, SessionResources},
    spaces::Spaces,
};
use crate::{
    chat::{
        Chat,
        ports::{RequestMetrics, Wire},
    },
    domain::{Limits, QueryTokens, Rejection, SpacePattern, WebSocketCompression},
    tasks::Tasks,
    transport::{
        TransportParts, access_log::ConnectionNames, client_address::ClientAddress, client_info,
        cors::CrossOrigin, credentials, subprotocol::Offer,
    },
};

/// The supported methods.
const METHODS: &str = "GET, POST, OPTIONS";

/// Everything under the paths of the engine.
pub struct SocketIoTransport {
    resources: Arc<SessionResources>,
    cross_origin: CrossOrigin,
    in_query: QueryTokens,
    compression: WebSocketCompression,
    context: Arc<SocketIoContext>,
    has_admin_ui: bool,
}

/// The namespaces that a transport has.
#[derive(Clone, Debug)]
pub struct Namespaces {
    /// The spaces besides `/`. `None`: the transport has none, not even `/`.
    pub spaces: Option<Vec<SpacePattern>>,
    /// What has the namespace of the official Admin UI, if there is one.
    pub admin_ui: Option<Arc<AdminUi>>,
}

impl Namespaces {
    /// `/` and these spaces.
    pub fn of_spaces(spaces: &[SpacePattern]) -> Self {
        Self { spaces: Some(spaces.to_vec()), admin_ui: None }
    }
}

/// What the parts of the transport share.
struct SocketIoContext {
    chat: Arc<Chat>,
    limits: Arc<Limits>,
    registry: SessionRegistry,
    spaces: Arc<Spaces>,
    recovery: Arc<RecoveryTable>,
    tasks: Tasks,
    metrics: Arc<RequestMetrics>,
}

impl SocketIoTransport {
    /// Builds the engine and opens the namespaces. No connection is accepted yet.
    pub fn new(chat: Arc<Chat>, namespaces: Namespaces, parts: TransportParts) -> Self {
        let Namespaces { spaces, admin_ui } = namespaces;
        let TransportParts { origins, in_query, compression, tasks, lanes } = parts;
        let limits = chat.limits();
        let registry = SessionRegistry::new();
        let (engine, io) = engine::build(&limits);
        let maintained = registry::maintain(registry.clone(), Arc::clone(&chat), tasks.clone());
        tasks.spawn("socketio sessions", maintained);
        let resources = Arc::new(SessionResources { tasks: tasks.clone(), engine, lanes });
        let recovery = RecoveryTable::new(Arc::clone(&limits));
        if recovery.is_enabled() && spaces.is_some() {
            chat.serve_transfers(Arc::<RecoveryTable>::clone(&recovery));
        }
        let metrics = Arc::new(chat.request_metrics(Wire::SocketIo));
        let spaces_open = Spaces::new(limits.spaces_max);
        let context = SocketIoContext {
            chat,
            limits,
            registry,
            spaces: spaces_open,
            recovery,
            tasks,
            metrics,
        };
        let context = Arc::new(context);
        if let Some(spaces) = spaces {
            namespace::open(&io, &context, &spaces);
        }
        let has_admin_ui = admin_ui.is_some();
        if let Some(admin_ui) = admin_ui {
            admin::open(&io, &context, &admin_ui);
        }
        let cross_origin = CrossOrigin { origins, methods: METHODS };
        Self { resources, cross_origin, in_query, compression, context, has_admin_ui }
    }

    /// Whether there is the namespace of the Admin UI.
    pub(super) fn has_admin_ui(&self) -> bool {
        self.has_admin_ui
    }

    /// The route of requests for this path, if they are for [`handle`](Self::handle).
    pub(super) fn route(path: &str) -> Option<&'static str> {
        Parser::of_path(path).map(Parser::route)
    }

    /// Answers a request of this host's pages or those of allowed origins.
    pub(super) async fn handle<B>(
        &self,
        request: Request<B>,
        address: ClientAddress,
    ) -> Response<Body>
    where
        B: HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
    {
        self.cross_origin.answer(request, |request| self.answer(request, address)).await
    }

    /// A poll takes no detour: what other requests need is allocated for these only.
    async fn answer<B>(&self, request: Request<B>, address: ClientAddress) -> Response<Body>
    where
        B: HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
    {
        let query = request.uri().query().unwrap_or_default();
        let accepted = compression::accepted(request.headers());
        let parsed = request::parse_request(parser_of(&request), request.method(), query);
        let named = self.named_session(&request, &parsed);
        let response = match parsed {
            Ok(EngineRequest::Poll(key)) => {
                drop(request);
                self.poll(key).await
            }
            Ok(other) => Box::pin(self.dispatch(other, request.map(Body::new), address)).await,
            Err(rejection) => Err(rejection),
        };
        let mut response = response.unwrap_or_else(EngineRejection::into_response);
        if let Some(session) = named {
            name_connections(&session, &mut response);
        }
        compression::compress(accepted, response).await
    }

    /// The session of a request, if the answer has to name its connections.
    fn named_session<B>(
        &self,
        request: &Request<B>,
        parsed: &Result<EngineRequest, EngineRejection>,
    ) -> Option<Arc<EngineSession>> {
        match parsed {
            Ok(
                EngineRequest::Poll(key) | EngineRequest::Post(key) | EngineRequest::Upgrade(key),
            ) if ConnectionNames::are_wanted(request) => self.context.registry.find(key.sid),
            _ => None,
        }
    }

    async fn dispatch(
        &self,
        engine_request: EngineRequest,
        request: Request<Body>,
        address: ClientAddress,
    ) -> Result<Response<Body>, EngineRejection> {
        let is_new_session =
            matches!(engine_request, EngineRequest::Open(_) | EngineRequest::Connect(_));
        if let Err(rejection) = self.check_capacity()
            && is_new_session
        {
            return Ok(request::rejection_response(&rejection));
        }
        match engine_request {
            EngineRequest::Open(version) => {
                let handshake = self.read_handshake((version, address), &request, Offer::default());
                drop(request);
                self.open(handshake).await
            }
            EngineRequest::Connect(version) => self.connect((version, address), request),
            EngineRequest::Poll(key) => self.poll(key).await,
            EngineRequest::Post(key) => self.post(&self.find_polling_session(key)?, request).await,
            EngineRequest::Upgrade(key) => self.upgrade(self.find_polling_session(key)?, request),
        }
    }

    /// Reads the first request of a session. Its token is verified at the connection to each space.
    fn read_handshake(
        &self,
        (version, address): (Version, ClientAddress),
        request: &Request<Body>,
        offer: Offer,
    ) -> Handshake {
        let query = request.uri().query().unwrap_or_default();
        let request_token = credentials::find(request.headers(), offer, query, self.in_query);
        let client = client_info::of_request(&self.context.chat, request.headers(), address);
        Handshake {
            version,
            parser: parser_of(request),
            query: request::application_query(query),
            request_token,
            client,
            address,
        }
    }

    /// Creates a session.
    fn create_session(
        &self,
        handshake: Handshake,
        polling: Option<Box<PollingState>>,
    ) -> Arc<EngineSession> {
        let parts = (Arc::clone(&self.resources), self.context.chat.limits());
        self.context.registry.create_session(handshake, parts, polling)
    }

    /// Whether a new session may begin.
    fn check_capacity(&self) -> Result<(), Rejection> {
        if self.context.chat.is_refusing() {
            Err(Rejection::Draining)
        } else if self.context.registry.count() >= self.context.limits.connections_max {
            Err(Rejection::Unavailable)
        } else {
            Ok(())
        }
    }
}

/// Has the answer to a request of a session name the connections of the session.
fn name_connections(session: &EngineSession, response: &mut Response<Body>) {
    let connections = session.connections();
    if let Some(names) = ConnectionNames::of(connections.iter().filter_map(|it| it.in_chat())) {
        names.add_to(response);
    }
}

/// The parser of the client of a request that this transport serves.
fn parser_of<B>(request: &Request<B>) -> Parser {
    Parser::of_path(request.uri().path()).unwrap_or(Parser::Json)
}

impl fmt::Debug for SocketIoTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketIoTransport")
            .field("sessions", &self.context.registry.count())
            .finish_non_exhaustive()
    }
}
