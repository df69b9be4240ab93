//! One port for everything: the routes, and the layers around them.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, State},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use http::{Request, StatusCode, header};
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use tracing::{Level, Span, debug_span};

use super::{
    api, cors, origin::Origins, pages, socketio::SocketIoTransport, websocket::WebSocketTransport,
};
use crate::chat::{Chat, Readiness};

/// Puts all routes together.
pub fn router(
    chat: Arc<Chat>,
    origins: Arc<Origins>,
    socketio: SocketIoTransport,
    websocket: WebSocketTransport,
) -> Router {
    let websockets = Router::new()
        .route("/ws", any(plain_websocket))
        .route("/ws/", any(plain_websocket))
        .route("/ws/{room}", any(plain_websocket))
        .route("/ws/{room}/", any(plain_websocket))
        .with_state(websocket);
    let health = Router::new()
        .route("/health/live", get(async || "alive"))
        .route("/health/ready", get(ready))
        .layer(cors::no_store())
        .with_state(Arc::clone(&chat));
    Router::new()
        .merge(websockets)
        .merge(socketio.routes())
        .merge(api::routes(chat, origins))
        .merge(health)
        .merge(pages::routes())
        .fallback(not_found)
        .layer(
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
async fn ready(State(chat): State<Arc<Chat>>) -> impl IntoResponse {
    match chat.readiness() {
        Readiness::Ready => (StatusCode::OK, "ready"),
        Readiness::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        Readiness::BusDisconnected => (StatusCode::SERVICE_UNAVAILABLE, "bus_disconnected"),
    }
}

async fn not_found() -> impl IntoResponse {
    let fields = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (StatusCode::NOT_FOUND, fields, r#"{"code":"not_found","message":"not here"}"#)
}
