//! The way in for Socket.IO clients: everything under `/socket.io/`.
//!
//! socketioxide speaks the protocol; this folder stands around it and keeps it from harm. Every
//! WebSocket is upgraded here, so that the stream under the engine is ours: it can be paused, cut,
//! and it knows when its peer has stopped reading. Every polling request passes through here, so
//! that bodies are bounded before they are read and one connection never has two of them in work.
//! What arrives goes into one ordered, bounded inbox per connection, and what is decided about it
//! is decided in `chat`.
//!
//! Engine.IO session ids are passwords: whoever knows one can speak as its owner. They stay in this
//! folder and are never logged.

mod eio3;
mod engine;
mod gate;
mod gauge;
mod guard;
mod inbox;
mod link;
mod links;
mod namespace;
mod outbox;
mod payload;
mod polling;
mod probe;
mod seat;
mod spaces;
#[cfg(test)]
mod test_support;
#[cfg(test)]
mod tests;
mod upgrade;

use std::{fmt, sync::Arc, time::Duration};

use axum::body::Body;
use http::{Request, Response, StatusCode};

use self::{
    engine::Engine,
    gate::{Ask, Refusal, Version},
    link::{Link, Words},
    links::Links,
    polling::Polled,
    spaces::Spaces,
};
use crate::{
    chat::Chat,
    domain::{Limits, Rejection, SpacePattern},
    tasks::Tasks,
    transport::{
        cors,
        credentials::{self, QueryTokens},
        origin::Origins,
        subprotocol::Offer,
    },
};

/// How long a client that is told `closing` may take to fetch what was sent before.
const FLUSH_WAIT_MAX: Duration = Duration::from_secs(2);
/// The same for a client that may not stay: it is gone within a second.
const PROMPT_FLUSH_WAIT_MAX: Duration = Duration::from_millis(700);

/// The methods that there are.
const METHODS: &str = "GET, POST, OPTIONS";

/// Everything under `/socket.io/`.
#[derive(Clone)]
pub struct SocketIoTransport {
    engine: Engine,
    origins: Arc<Origins>,
    in_query: QueryTokens,
    shared: Arc<Shared>,
}

/// What the parts of the transport have in common.
struct Shared {
    chat: Arc<Chat>,
    limits: Arc<Limits>,
    links: Arc<Links>,
    spaces: Arc<Spaces>,
    tasks: Tasks,
}

impl SocketIoTransport {
    /// Builds the engine and opens the spaces. Nothing listens yet.
    pub fn new(
        chat: Arc<Chat>,
        spaces: &[SpacePattern],
        origins: Arc<Origins>,
        in_query: QueryTokens,
        tasks: Tasks,
    ) -> Self {
        let limits = Arc::new(chat.limits().clone());
        let links = Links::new();
        let spaces_open = Spaces::new(limits.spaces_max);
        let (engine, io) = engine::build(&limits);
        tasks.spawn("socketio links", links::tend(Arc::clone(&links), tasks.clone()));
        let shared = Arc::new(Shared { chat, limits, links, spaces: spaces_open, tasks });
        namespace::open(&io, &shared, spaces);
        Self { engine, origins, in_query, shared }
    }

    /// Answers any request for a path under `/socket.io/`.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let origin = match self.origins.check(request.headers()) {
            Ok(origin) => origin,
            Err(rejection) => return gate::rejected(&rejection),
        };
        let mut response = match cors::preflight(&request, METHODS) {
            Some(response) => response,
            None => self.dispatch(request).await.unwrap_or_else(Refusal::into_response),
        };
        cors::finish(&mut response, origin);
        response
    }

    async fn dispatch(&self, request: Request<Body>) -> Result<Response<Body>, Refusal> {
        if !matches!(request.uri().path(), "/socket.io/" | "/socket.io") {
            return Ok(gate::empty(StatusCode::NOT_FOUND));
        }
        let query = request.uri().query().unwrap_or_default();
        let ask = gate::ask(request.method(), query)?;
        let opens = matches!(ask, Ask::Open(_) | Ask::Connect(_));
        if let Err(rejection) = self.room_for_one_more()
            && opens
        {
            return Ok(gate::rejected(&rejection));
        }
        match ask {
            Ask::Open(version) => {
                let words = self.words(version, &request, Offer::default());
                drop(request);
                self.open(words).await
            }
            Ask::Connect(version) => self.connect(version, request),
            Ask::Poll(sid) => {
                drop(request);
                self.poll(&self.polled(sid)?).await
            }
            Ask::Post(sid) => self.post(&self.polled(sid)?, request).await,
            Ask::Upgrade(sid) => self.upgrade(self.polled(sid)?, request),
        }
    }

    /// What the first request of a session says. Whether its token is good is seen at the door of each
    /// space.
    fn words(&self, version: Version, request: &Request<Body>, offer: Offer) -> Words {
        let query = request.uri().query().unwrap_or_default();
        let carried = credentials::find(request.headers(), offer, query, self.in_query);
        Words { version, query: gate::own_words(query), carried }
    }

    /// Makes the link of a new session.
    fn begin(&self, words: Words, polled: Option<Box<Polled>>) -> Arc<Link> {
        let house = (Arc::clone(&self.shared.limits), self.shared.tasks.clone());
        self.shared.links.begin(words, house, polled)
    }

    /// Whether a new session may begin.
    fn room_for_one_more(&self) -> Result<(), Rejection> {
        if self.shared.chat.is_draining() {
            Err(Rejection::Draining)
        } else if self.shared.links.count() >= self.shared.limits.connections_max {
            Err(Rejection::Unavailable)
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for SocketIoTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketIoTransport")
            .field("links", &self.shared.links.count())
            .finish_non_exhaustive()
    }
}
