//! Plain WebSocket at `/ws`, `/ws/{room}` and `/ws?room=`.
//!
//! All rejections that allow it are sent over HTTP, before the upgrade.

mod close;
mod close_state;
mod connection;
mod format;
mod outbox;
mod stream;

use std::sync::Arc;

use axum::body::Body;
use http::{HeaderValue, Request, Response, StatusCode, header};
use tracing::{Instrument as _, Span, debug};

use self::{close::SocketEnd, connection::Connection, format::Format};
use super::{
    TransportParts,
    client_info::{self, PeerAddress},
    credentials,
    lanes::Lanes,
    origin::Origins,
    rejection::rejection_response,
    subprotocol::{self, Offer},
    upgrade::{self, HandshakeError},
};
use crate::{
    chat::{
        Admission, Chat, Hello,
        ports::{ClientInfo, ConnectionMetrics, Wire},
    },
    domain::{CloseReason, Limits, QueryTokens, Rejection, RoomName, Space},
    tasks::Tasks,
    wire::{hello_from_query, parameter, percent_decode},
};

/// The transport for plain WebSocket clients.
#[derive(Clone, Debug)]
pub struct WebSocketTransport {
    chat: Arc<Chat>,
    limits: Arc<Limits>,
    origins: Arc<Origins>,
    in_query: QueryTokens,
    tasks: Tasks,
    lanes: Lanes,
}

/// The outcome of a handshake.
enum HandshakeOutcome {
    /// The connection is admitted.
    Admitted(Box<Admission>, Arc<ConnectionMetrics>),
    /// The reason is sent on the WebSocket: browsers hide the response of a refused handshake.
    Rejected(CloseReason),
}

impl WebSocketTransport {
    /// A transport that admits clients to `chat`.
    pub fn new(chat: Arc<Chat>, parts: TransportParts) -> Self {
        let TransportParts { origins, in_query, tasks, lanes } = parts;
        let limits = Arc::new(chat.limits().clone());
        Self { chat, limits, origins, in_query, tasks, lanes }
    }

    /// Answers a request for `/ws` or a path below it.
    pub async fn handle(&self, mut request: Request<Body>) -> Response<Body> {
        let accept = match upgrade::accept(&request) {
            Ok(accept) => accept,
            Err(error) => return handshake_error_response(error),
        };
        let (hello, chosen) = match self.read_handshake(&request) {
            Ok(handshake) => handshake,
            Err(rejection) => return reject(&rejection),
        };
        let outcome = match self.chat.admit(hello).await {
            Ok(admission) => {
                let metrics = self.chat.open_connection_metrics(Wire::WebSocket);
                HandshakeOutcome::Admitted(admission, Arc::new(metrics))
            }
            Err(Rejection::TokenRequired) => HandshakeOutcome::Rejected(CloseReason::InvalidUser),
            Err(rejection) => return reject(&rejection),
        };
        let peer = request.extensions().get::<PeerAddress>().map(|PeerAddress(peer)| *peer);
        let upgraded = hyper::upgrade::on(&mut request);
        // The request keeps the read buffer of the connection alive and is no longer needed.
        drop(request);
        let wire = (Format::of(chosen.as_ref()), Arc::clone(&self.limits));
        // Boxed, because the task would be as large as this step for as long as the connection exists.
        let opening = Box::pin(Connection::open((upgraded, peer), self.lanes.clone(), wire));
        let tasks = self.tasks.clone();
        let span = match &outcome {
            HandshakeOutcome::Admitted(admission, _) => admission.span(Wire::WebSocket),
            HandshakeOutcome::Rejected(_) => Span::none(),
        };
        let connection = async move {
            tokio::select! {
                () = serve(opening, outcome) => (),
                () = tasks.overdue() => debug!("connection aborted at the end of the drain"),
            }
        };
        // Boxed, because `Tasks` would hold the future twice.
        self.tasks.spawn("websocket", Box::pin(connection.instrument(span)));
        upgrade::switching_protocols_response(accept, chosen)
    }

    /// Reads a handshake, and chooses its subprotocol.
    fn read_handshake(
        &self,
        request: &Request<Body>,
    ) -> Result<(Hello, Option<HeaderValue>), Rejection> {
        let headers = request.headers();
        self.origins.check(headers)?;
        let offer = Offer::read(headers, &[subprotocol::JSON, subprotocol::MSGPACK])?;
        let chosen = offer.chosen.clone();
        let query = request.uri().query().unwrap_or_default();
        let mut hello = hello(request.uri().path(), query)?;
        hello.token = credentials::find(headers, offer, query, self.in_query)?;
        let peer = request.extensions().get::<PeerAddress>();
        if let Some(PeerAddress(peer)) = peer
            && let Some(client) = client_info::of_request(&self.chat, headers, *peer)
        {
            hello.client = ClientInfo { query: query.into(), ..*client };
        }
        Ok((hello, chosen))
    }
}

fn reject(rejection: &Rejection) -> Response<Body> {
    debug!(?rejection, "handshake refused");
    rejection_response(rejection)
}

/// The response 400, or 426 with the supported version.
fn handshake_error_response(error: HandshakeError) -> Response<Body> {
    let message = match error {
        HandshakeError::NotAnUpgrade => "this is for WebSockets",
        HandshakeError::UnsupportedVersion => "only WebSocket version 13",
        HandshakeError::InvalidKey => {
            return rejection_response(&Rejection::BadRequest("the WebSocket key is not one"));
        }
    };
    let mut response = rejection_response(&Rejection::BadRequest(message));
    *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}

/// Serves a connection whose handshake is answered.
async fn serve(opening: impl Future<Output = Option<Connection>>, outcome: HandshakeOutcome) {
    let Some(mut connection) = opening.await else { return };
    match outcome {
        HandshakeOutcome::Admitted(admission, metrics) => {
            connection.run(admission, &metrics).await;
        }
        HandshakeOutcome::Rejected(reason) => {
            Box::pin(connection.close(SocketEnd::ByServer(reason))).await;
        }
    }
}

/// Reads the path and the query of a handshake.
fn hello(path: &str, query: &str) -> Result<Hello, Rejection> {
    let space = match parameter(query, "space")? {
        Some(space) => Space::parse(&space)?,
        None => Space::root(),
    };
    let mut hello = hello_from_query(space, query)?;
    if let Some(room) = room_of_path(path)? {
        if hello.room.as_ref().is_some_and(|other| *other != room) {
            return Err(Rejection::BadRequest("path and query name different rooms"));
        }
        hello.room = Some(room);
    }
    Ok(hello)
}

/// The room in `/ws/{room}`. A last slash, as some proxies and clients add it, changes nothing.
fn room_of_path(path: &str) -> Result<Option<RoomName>, Rejection> {
    let Some(room) = path.strip_prefix("/ws/").filter(|room| !room.is_empty()) else {
        return Ok(None);
    };
    let room = room.strip_suffix('/').unwrap_or(room);
    RoomName::parse(&percent_decode(room).ok_or(Rejection::RoomInvalid)?).map(Some)
}
