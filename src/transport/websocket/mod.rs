//! Plain WebSocket at `/ws`, `/ws/{room}` and `/ws?room=`, and at the paths of the settings.
//!
//! All rejections that allow it are sent over HTTP, before the upgrade.

mod close;
mod close_state;
mod connection;
mod decoder;
mod encoding;
mod format;
mod frame_head;
mod handshake;
mod outbox;
mod steps;
mod stream;
mod text;
mod translator;

use std::sync::Arc;

use axum::body::Body;
use http::{HeaderValue, Request, Response, StatusCode, header};
use tracing::{Instrument as _, Span, debug};

use self::{close::SocketEnd, connection::Connection, encoding::Encoding, handshake::Handshake};
use super::{
    TransportParts,
    access_log::ConnectionNames,
    client_address::ClientAddress,
    client_info, credentials, deflate,
    lanes::Lanes,
    origin::Origins,
    rejection::rejection_response,
    upgrade::{self, HandshakeError},
};
use crate::{
    chat::{
        Admission, Chat, Hello,
        ports::{ClientInfo, RequestMetrics, Wire},
    },
    domain::{CloseReason, QueryTokens, Rejection, WebSocketCompression},
    tasks::Tasks,
    wire::PathRule,
};

/// The transport for plain WebSocket clients.
#[derive(Clone, Debug)]
pub struct WebSocketTransport {
    chat: Arc<Chat>,
    origins: Arc<Origins>,
    in_query: QueryTokens,
    tasks: Tasks,
    lanes: Lanes,
    metrics: Arc<RequestMetrics>,
    paths: Arc<[PathRule]>,
    compression: WebSocketCompression,
}

/// The outcome of a handshake.
enum HandshakeOutcome {
    /// The connection is admitted.
    Admitted(Box<Admission>, Arc<RequestMetrics>),
    /// The reason is sent on the WebSocket: browsers hide the response of a refused handshake.
    Rejected(CloseReason),
}

impl WebSocketTransport {
    /// A transport that admits clients to `chat`, at `/ws` and at the paths of these rules.
    pub fn new(chat: Arc<Chat>, parts: TransportParts, paths: &[PathRule]) -> Self {
        let TransportParts { origins, in_query, compression, tasks, lanes } = parts;
        let (metrics, paths) = (Arc::new(chat.request_metrics(Wire::WebSocket)), paths.into());
        Self { chat, origins, in_query, tasks, lanes, metrics, paths, compression }
    }

    /// Whether there are rules for paths.
    pub fn has_paths(&self) -> bool {
        !self.paths.is_empty()
    }

    /// Whether there is a rule for this path.
    pub fn has_path(&self, path: &str) -> bool {
        self.paths.iter().any(|it| it.matches(path))
    }

    /// Answers a request for `/ws`, a path below it, or a path of a rule.
    pub async fn handle(&self, mut request: Request<Body>) -> Response<Body> {
        let accept = match upgrade::accept(&request) {
            Ok(accept) => accept,
            Err(error) => return handshake_error_response(error),
        };
        let Handshake { hello, token, format, chosen } = match self.read_handshake(&request) {
            Ok(handshake) => handshake,
            Err(rejection) => return reject(&rejection),
        };
        let admitted = match token {
            Ok(token) => self.chat.admit(Hello { token, ..hello }).await,
            Err(rejection) => Err(rejection),
        };
        let mut names = None;
        let outcome = match admitted {
            Ok(mut admission) => {
                if ConnectionNames::are_wanted(&request) {
                    names = ConnectionNames::of([admission.connection()]);
                }
                HandshakeOutcome::Admitted(admission, Arc::clone(&self.metrics))
            }
            Err(rejection) => match format.refusal(&rejection) {
                Some(reason) => HandshakeOutcome::Rejected(reason),
                None => return reject(&rejection),
            },
        };
        let agreement = deflate::negotiate(request.headers(), self.compression);
        let address = request.extensions().get::<ClientAddress>().copied();
        let upgraded = hyper::upgrade::on(&mut request);
        // The request keeps the read buffer of the connection alive and is no longer needed.
        drop(request);
        let window = agreement.as_ref().map(|it| it.window_bits);
        let wire = (Encoding { format, window }, self.chat.limits());
        // Boxed, because the task would be as large as this step for as long as the connection exists.
        let opening = Box::pin(Connection::open((upgraded, address), self.lanes.clone(), wire));
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
        self.tasks.spawn("websocket", connection.instrument(span));
        let mut response = upgrade::switching_protocols_response(accept, chosen, agreement);
        if let Some(names) = names {
            names.add_to(&mut response);
        }
        response
    }

    /// Reads a handshake, and chooses its subprotocol and its format.
    fn read_handshake(&self, request: &Request<Body>) -> Result<Handshake, Rejection> {
        let headers = request.headers();
        self.origins.check(headers)?;
        let path = request.uri().path();
        let rule = self.paths.iter().find(|it| it.matches(path));
        let query = request.uri().query().unwrap_or_default();
        let (mut handshake, offer) = handshake::read((path, query), headers, rule)?;
        handshake.token = credentials::find(headers, offer, query, self.in_query);
        if let Some(address) = request.extensions().get::<ClientAddress>()
            && let Some(client) = client_info::of_request(&self.chat, headers, *address)
        {
            handshake.hello.client = ClientInfo { query: query.into(), ..*client };
        }
        Ok(handshake)
    }
}

fn reject(rejection: &Rejection) -> Response<Body> {
    debug!(?rejection, "handshake refused");
    rejection_response(rejection)
}

/// The response to a request that is no handshake.
pub(super) fn not_an_upgrade() -> Response<Body> {
    handshake_error_response(HandshakeError::NotAnUpgrade)
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
