//! One port for everything: the requests of Socket.IO, and the routes of all others; and, where the
//! settings say so, another one for back ends.
//!
//! A client that polls sends a request per event, so the requests of Socket.IO do not pass the router
//! and its layers, each of which allocates and copies.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use http::{HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use tokio::time::Instant;
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use tower_service::Service as _;
use tracing::{Instrument as _, Level, Span, debug, debug_span};

use super::{
    access_log::AccessLog,
    admin_page,
    api::{self, ApiPort, MetricsSource},
    client_address::{ClientAddress, SocketPeer, TrustedProxies},
    cookie, cors,
    listener::Handler,
    origin::Origins,
    pages,
    rejection::in_seconds,
    socketio::SocketIoTransport,
    upgrade,
    websocket::{WebSocketTransport, not_an_upgrade},
};
use crate::{
    chat::{Chat, Readiness},
    domain::FormSignIn,
    wire::{code, readiness_json},
};

/// Answers back ends and the Admin UI, where they have a port of their own. Clones are handles.
#[derive(Clone, Debug)]
pub struct AdminGateway {
    router: Router,
    /// What the Admin UI connects to.
    socketio: Option<Arc<SocketIoTransport>>,
    access_log: AccessLog,
}

impl AdminGateway {
    /// Puts the routes together.
    pub fn new(
        chat: &Arc<Chat>,
        metrics: MetricsSource,
        access_log: AccessLog,
        socketio: Option<SocketIoTransport>,
    ) -> Self {
        let api = api::for_back_ends(Arc::clone(chat), metrics, ApiPort::Own);
        let pages = if socketio.is_some() { admin_page::routes() } else { Router::new() };
        let all = api.merge(api::documents()).merge(health(chat)).merge(pages);
        let router = traced_routes(all.fallback(not_found));
        Self { router, socketio: socketio.map(Arc::new), access_log }
    }
}

impl Handler for AdminGateway {
    fn handle(
        &self,
        mut request: Request<Incoming>,
        peer: SocketPeer,
    ) -> impl Future<Output = Response<Body>> + Send + 'static {
        let mut router = self.router.clone();
        let address = ClientAddress::decide(peer, request.headers(), &TrustedProxies::none());
        let logged = self.access_log.begin(&mut request, address);
        let path = request.uri().path();
        let socketio = self.socketio.clone().filter(|_| SocketIoTransport::route(path).is_some());
        async move {
            let mut response = match socketio {
                Some(socketio) => traced(socketio, request, address).await,
                None => router.call(request).await.unwrap_or_else(|never| match never {}),
            };
            if let Some(logged) = logged {
                (*logged).answer(&mut response);
            }
            response
        }
    }
}

/// Answers all requests. Clones are handles to the same transports.
#[derive(Clone, Debug)]
pub struct Gateway {
    router: Router,
    socketio: Arc<SocketIoTransport>,
    proxies: TrustedProxies,
    access_log: AccessLog,
}

impl Gateway {
    /// Puts the transports together.
    pub fn new(
        (chat, origins): (&Arc<Chat>, Arc<Origins>),
        (socketio, websocket): (SocketIoTransport, WebSocketTransport),
        (api_port, metrics): (ApiPort, MetricsSource),
        form_sign_in: FormSignIn,
    ) -> Self {
        let pages = if socketio.has_admin_ui() { admin_page::routes() } else { Router::new() };
        let pages = pages.merge(pages::routes());
        let router = router((chat, origins), websocket, (api_port, metrics), form_sign_in, pages);
        let (proxies, access_log) = (TrustedProxies::none(), AccessLog::off());
        Self { router, socketio: Arc::new(socketio), proxies, access_log }
    }

    /// Believes what these proxies say about their clients.
    #[must_use]
    pub fn with_proxies(self, proxies: TrustedProxies) -> Self {
        Self { proxies, ..self }
    }

    /// Logs all requests.
    #[must_use]
    pub fn with_access_log(self, access_log: AccessLog) -> Self {
        Self { access_log, ..self }
    }
}

impl Handler for Gateway {
    fn handle(
        &self,
        mut request: Request<Incoming>,
        peer: SocketPeer,
    ) -> impl Future<Output = Response<Body>> + Send + 'static {
        if peer.is_tls {
            // As from a proxy in front: everything that asks for the scheme reads this.
            let https = HeaderValue::from_static("https");
            request.headers_mut().insert(cookie::FORWARDED_PROTO, https);
        }
        let address = ClientAddress::decide(peer, request.headers(), &self.proxies);
        let logged = self.access_log.begin(&mut request, address);
        // Only what this request needs: the future exists once per connection.
        let target = if SocketIoTransport::route(request.uri().path()).is_some() {
            Ok(Arc::clone(&self.socketio))
        } else {
            request.extensions_mut().insert(address);
            Err(self.router.clone())
        };
        async move {
            let mut response = match target {
                Ok(socketio) => traced(socketio, request, address).await,
                Err(mut router) => {
                    Box::pin(router.call(request)).await.unwrap_or_else(|never| match never {})
                }
            };
            if let Some(logged) = logged {
                (*logged).answer(&mut response);
            }
            response
        }
    }
}

/// Answers a request of Socket.IO. What the layer of the router logs is logged here.
async fn traced(
    socketio: Arc<SocketIoTransport>,
    request: Request<Incoming>,
    address: ClientAddress,
) -> Response<Body> {
    let route = SocketIoTransport::route(request.uri().path());
    let span = debug_span!("request", method = %request.method(), route);
    if span.is_disabled() {
        return socketio.handle(request, address).await;
    }
    let begun_at = Instant::now();
    let response = Box::pin(socketio.handle(request, address).instrument(span.clone())).await;
    let status = response.status().as_u16();
    debug!(parent: &span, latency = ?begun_at.elapsed(), status, "finished processing request");
    response
}

/// The routes of all requests but those of Socket.IO, and the layers around them.
fn router(
    (chat, origins): (&Arc<Chat>, Arc<Origins>),
    websocket: WebSocketTransport,
    (api_port, metrics): (ApiPort, MetricsSource),
    form_sign_in: FormSignIn,
    pages: Router,
) -> Router {
    let websockets = Router::new()
        .route("/ws", any(plain_websocket))
        .route("/ws/", any(plain_websocket))
        .route("/ws/{room}", any(plain_websocket))
        .route("/ws/{room}/", any(plain_websocket))
        .with_state(websocket.clone());
    let for_back_ends = match api_port {
        ApiPort::OfClients => api::for_back_ends(Arc::clone(chat), metrics, api_port),
        ApiPort::Own => Router::new(),
    };
    let routes = websockets
        .merge(api::for_pages(Arc::clone(chat), origins, form_sign_in))
        .merge(for_back_ends)
        .merge(api::documents())
        .merge(health(chat))
        .merge(pages);
    let routes = routes.fallback(not_found);
    traced_routes(if websocket.has_paths() {
        routes.layer(middleware::from_fn_with_state(websocket, websocket_paths))
    } else {
        routes
    })
}

/// Passes WebSocket handshakes for a path of the settings to their transport. A page may be at the
/// same path.
async fn websocket_paths(
    State(transport): State<WebSocketTransport>,
    request: Request<Body>,
    next: Next,
) -> Response {
    if !transport.has_path(request.uri().path()) {
        return next.run(request).await;
    }
    if upgrade::is_wanted(request.headers()) {
        return transport.handle(request).await;
    }
    let response = next.run(request).await;
    if response.status() == StatusCode::NOT_FOUND { not_an_upgrade() } else { response }
}

/// Whether the node lives, and whether new clients may be sent to it.
fn health(chat: &Arc<Chat>) -> Router {
    Router::new()
        .route("/health/live", get(async || "alive"))
        .route("/health/ready", get(ready))
        .layer(cors::no_store())
        .with_state(Arc::clone(chat))
}

/// Adds the log of all requests.
fn traced_routes(routes: Router) -> Router {
    routes.layer(
        TraceLayer::new_for_http()
            .make_span_with(request_span)
            .on_request(())
            .on_response(DefaultOnResponse::new().level(Level::DEBUG))
            .on_eos(())
            .on_failure(()),
    )
}

/// The span of a request, for debugging. It has the route instead of the address, because queries
/// hold tokens and Engine.IO session ids.
fn request_span(request: &Request<Body>) -> Span {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    debug_span!("request", method = %request.method(), route)
}

async fn plain_websocket(
    State(transport): State<WebSocketTransport>,
    request: Request<Body>,
) -> Response {
    transport.handle(request).await
}

/// Whether a load balancer may send new clients to this node.
async fn ready(State(chat): State<Arc<Chat>>) -> Response {
    let readiness = chat.readiness().await;
    let status = match readiness {
        Readiness::Ready => StatusCode::OK,
        Readiness::Unready(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = (status, readiness_json(&readiness)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if readiness != Readiness::Ready {
        headers.insert(header::RETRY_AFTER, in_seconds(code::RETURN_AFTER));
    }
    response
}

async fn not_found() -> impl IntoResponse {
    let fields = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (StatusCode::NOT_FOUND, fields, r#"{"code":"not_found","message":"not here"}"#)
}
