//! One port for everything: which path belongs to whom.

use std::sync::Arc;

use axum::{Router, body::Body, extract::State, routing};
use http::{HeaderValue, Request, Response, StatusCode, header};

use super::{api::SessionApi, pages, socketio::SocketIoTransport, websocket::WebSocketTransport};
use crate::chat::{Chat, Readiness};

/// Puts the ways in together.
pub fn router(
    chat: Arc<Chat>,
    socketio: SocketIoTransport,
    websocket: WebSocketTransport,
    sessions: SessionApi,
) -> Router {
    let websockets = Router::new()
        .route("/ws", routing::any(plain_websocket))
        .route("/ws/{room}", routing::any(plain_websocket))
        .with_state(websocket);
    let engine = Router::new().route("/socket.io/", routing::any(engine)).with_state(socketio);
    let api = Router::new().route("/api/session", routing::any(session)).with_state(sessions);
    let health = Router::new()
        .route("/health/live", routing::get(|| async { text(StatusCode::OK, "alive") }))
        .route("/health/ready", routing::get(ready))
        .with_state(chat);
    Router::new()
        .merge(websockets)
        .merge(engine)
        .merge(api)
        .merge(health)
        .merge(pages::pages())
        .merge(pages::client_files())
        .fallback(|| async { not_found() })
}

async fn plain_websocket(
    State(transport): State<WebSocketTransport>,
    request: Request<Body>,
) -> Response<Body> {
    transport.handle(request).await
}

async fn engine(
    State(transport): State<SocketIoTransport>,
    request: Request<Body>,
) -> Response<Body> {
    transport.handle(request).await
}

async fn session(State(api): State<SessionApi>, request: Request<Body>) -> Response<Body> {
    api.handle(request).await
}

/// Whether a load balancer may send new clients here.
async fn ready(State(chat): State<Arc<Chat>>) -> Response<Body> {
    match chat.readiness() {
        Readiness::Ready => text(StatusCode::OK, "ready"),
        Readiness::Draining => text(StatusCode::SERVICE_UNAVAILABLE, "draining"),
        Readiness::BusDisconnected => text(StatusCode::SERVICE_UNAVAILABLE, "bus_disconnected"),
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn not_found() -> Response<Body> {
    let mut response = text(StatusCode::NOT_FOUND, r#"{"code":"not_found","message":"not here"}"#);
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
