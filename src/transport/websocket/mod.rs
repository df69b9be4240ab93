//! Plain WebSocket at `/ws`, `/ws/{room}` and `/ws?room=`.
//!
//! Everything that can be refused is refused over HTTP, before the upgrade.

mod connection;
mod outbox;

use std::sync::Arc;

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use tracing::debug;

use super::{
    origin::Origins,
    refusal::refusal,
    upgrade::{self, BadHandshake},
};
use crate::{
    chat::{Admission, Chat, Hello},
    domain::{Limits, Rejection, RoomName, Space},
    tasks::Tasks,
    wire::{hello_from_query, parameter},
};

/// The way in for plain WebSocket clients.
#[derive(Clone, Debug)]
pub struct WebSocketTransport {
    chat: Arc<Chat>,
    limits: Arc<Limits>,
    origins: Arc<Origins>,
    tasks: Tasks,
}

impl WebSocketTransport {
    /// Lets clients into `chat`.
    pub fn new(chat: Arc<Chat>, origins: Arc<Origins>, tasks: Tasks) -> Self {
        let limits = Arc::new(chat.limits().clone());
        Self { chat, limits, origins, tasks }
    }

    /// Answers a request to `/ws` or below it.
    pub async fn handle(&self, mut request: Request<Body>) -> Response<Body> {
        let accept = match upgrade::accept(&request) {
            Ok(accept) => accept,
            Err(why) => return not_a_handshake(why),
        };
        let hello = self.origins.check(request.headers()).and_then(|_page| hello(&request));
        let admission = match hello {
            Ok(hello) => self.chat.admit(hello).await,
            Err(rejection) => Err(rejection),
        };
        let admission = match admission {
            Ok(admission) => admission,
            Err(rejection) => return refusal(&rejection),
        };
        let upgraded = hyper::upgrade::on(&mut request);
        // The request pins the connection's read buffer; what is needed was taken from it.
        drop(request);
        let (limits, tasks) = (Arc::clone(&self.limits), self.tasks.clone());
        // Boxed, because the owner of the tasks would hold it twice.
        let connection = Box::pin(async move {
            tokio::select! {
                () = serve(upgraded, admission, limits) => (),
                () = tasks.overdue() => debug!("a connection was cut at the end of the drain"),
            }
        });
        self.tasks.spawn("websocket", connection);
        upgrade::switching(accept)
    }
}

/// 400, or 426 with what we would speak.
fn not_a_handshake(why: BadHandshake) -> Response<Body> {
    let why = match why {
        BadHandshake::NotAnUpgrade => "this is for WebSockets",
        BadHandshake::OtherVersion => "only WebSocket version 13",
        BadHandshake::BadKey => {
            return refusal(&Rejection::BadRequest("the WebSocket key is not one"));
        }
    };
    let mut response = refusal(&Rejection::BadRequest(why));
    *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}

async fn serve(upgraded: OnUpgrade, admission: Admission, limits: Arc<Limits>) {
    match upgraded.await {
        Ok(stream) => connection::run(TokioIo::new(stream), admission, limits).await,
        Err(error) => debug!(%error, "a handshake was not finished"),
    }
}

/// What a request says at the door.
fn hello(request: &Request<Body>) -> Result<Hello, Rejection> {
    let query = request.uri().query().unwrap_or_default();
    let space = match parameter(query, "space")? {
        Some(space) => Space::parse(&space)?,
        None => Space::root(),
    };
    let mut hello = hello_from_query(space, query)?;
    if let Some(room) = room_of_path(request.uri().path())? {
        hello.room = Some(room);
    }
    // A header is not logged by proxies as an address is, so it goes before the query.
    if let Some(token) = bearer(request.headers())? {
        hello.token = Some(token);
    }
    Ok(hello)
}

/// The room in `/ws/{room}`.
fn room_of_path(path: &str) -> Result<Option<RoomName>, Rejection> {
    let Some(room) = path.strip_prefix("/ws/").filter(|room| !room.is_empty()) else {
        return Ok(None);
    };
    let room = percent_decode_str(room).decode_utf8();
    RoomName::parse(&room.map_err(|_error| Rejection::RoomInvalid)?).map(Some)
}

/// The token in `Authorization: Bearer`. Other schemes are not for us.
fn bearer(headers: &HeaderMap) -> Result<Option<String>, Rejection> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let text = value.to_str().map_err(|_error| Rejection::Unauthorized)?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Some(token.trim().to_owned()))
        }
        _ => Ok(None),
    }
}
