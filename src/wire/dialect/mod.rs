//! Dialects: the wire formats of other servers, so that their clients run here unchanged.
//!
//! A dialect is one file. It translates frames to requests, and events and replies to frames, and
//! knows nothing else. [`DIALECTS`] names all of them. A connection has a translator of its own,
//! which the transport calls with what happens, in order.

mod content;
mod echo;
mod hello;
mod json;
mod lounge;
mod refusal;
mod talk;
mod typed;

use bytes::Bytes;

use crate::{
    chat::{Reply, Request, RequestContext, event::Event},
    domain::{CloseReason, Rejection, RoomName, UserName},
};

/// Every dialect.
///
/// A new one is a file, one row here and its chapter in docs/dialects.md; a test compares the two.
const DIALECTS: [DialectSpec; 6] = [
    DialectSpec { name: "hello", start: hello::start },
    DialectSpec { name: "json", start: json::start },
    DialectSpec { name: "talk", start: talk::start },
    DialectSpec { name: "typed", start: typed::start },
    DialectSpec { name: "echo-protocol", start: echo::start },
    DialectSpec { name: "lounge", start: lounge::start },
];

/// The number of dialects.
pub const DIALECT_COUNT: usize = DIALECTS.len();

/// A row of the table.
struct DialectSpec {
    /// The name in `?dialect=` and in the settings, and the subprotocol.
    name: &'static str,
    /// Makes the translator of a connection, or refuses its handshake.
    start: fn(&Handshake<'_>) -> Result<Box<dyn Dialect>, Rejection>,
}

/// A dialect: its place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialectId(usize);

impl DialectId {
    /// All dialects.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..DIALECT_COUNT).map(Self)
    }

    /// The dialect of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|it| it.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// Its place in the table, less than [`DIALECT_COUNT`].
    pub fn index(self) -> usize {
        self.0
    }

    /// The translator of a connection.
    pub fn start(self, handshake: &Handshake<'_>) -> Result<Box<dyn Dialect>, Rejection> {
        (self.spec().start)(handshake)
    }

    fn spec(self) -> &'static DialectSpec {
        DIALECTS.get(self.0).expect("only `all` makes ids")
    }
}

/// What a translator knows of its connection from the beginning.
#[derive(Debug)]
pub struct Handshake<'a> {
    /// The default room of the connection.
    pub room: RoomName,
    /// The query of the address.
    pub query: &'a str,
}

/// The user of a connection when it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitialUser {
    /// The one that a token has identified.
    Identified,
    /// Nobody. A dialect whose clients choose no name takes this one.
    Anonymous(UserName),
}

/// The translator of one connection.
///
/// The caller performs what it returns before it calls again, so that the order of calls is the order
/// of frames.
pub trait Dialect: Send {
    /// The connection is open. By default a guest takes the given name.
    fn open(&mut self, user: InitialUser) -> Vec<Step> {
        match user {
            InitialUser::Identified => Vec::new(),
            InitialUser::Anonymous(user) => {
                vec![Step::Ask(Purpose::Identify, Request::Identify { user, device: None })]
            }
        }
    }

    /// The client has sent a frame.
    fn frame(&mut self, frame: ClientFrame<'_>, context: RequestContext<'_>) -> Vec<Step>;

    /// A request is answered. Replies arrive in any order.
    fn reply(&mut self, purpose: &Purpose, reply: &Reply) -> Vec<Effect>;

    /// An event has reached the connection. `None` if the dialect has no frame for it.
    fn event(&mut self, event: &Event) -> Option<EventFrame>;

    /// The frame before a close frame with this reason, if there is one.
    fn closing(&mut self, reason: CloseReason) -> Option<Frame>;

    /// The reason with which a refused connection is closed after the upgrade. `None` answers the
    /// handshake over HTTP.
    fn refusal(&self, rejection: &Rejection) -> Option<CloseReason> {
        matches!(rejection, Rejection::TokenRequired).then_some(CloseReason::InvalidUser)
    }
}

/// A frame of a client.
#[derive(Clone, Copy, Debug)]
pub enum ClientFrame<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a Bytes),
}

/// A frame for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

/// The frame of an event.
#[derive(Debug)]
pub enum EventFrame {
    /// The same for all connections of the dialect that receive the event: it is made once. A dialect
    /// has one such function.
    Shared(fn(&Event) -> Option<Frame>),
    /// One for this connection.
    Own(Frame),
}

/// What follows from a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// This client receives a frame.
    Send(Frame),
    /// The server closes the connection for this reason.
    Close(CloseReason),
}

/// What follows from a frame of the client.
#[derive(Debug)]
pub enum Step {
    /// The same as from a reply.
    Effect(Effect),
    /// The session handles a request.
    Ask(Purpose, Request),
    /// The connection is closed, because its client has asked for that in a frame.
    Finish,
}

/// What a dialect has sent a request for, so that it knows what the reply means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To identify.
    Identify,
    /// To post a message.
    Post,
    /// To post a message to this user, one of several.
    PostTo(UserName),
    /// To list the users of the room.
    List,
}

impl Frame {
    /// A text frame.
    fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

impl Step {
    /// Sends a text frame to this client.
    fn send(text: impl Into<String>) -> Self {
        Self::Effect(Effect::Send(Frame::text(text)))
    }
}

/// Performs effects as steps.
fn steps(effects: Vec<Effect>) -> Vec<Step> {
    effects.into_iter().map(Step::Effect).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_unique() {
        for id in DialectId::all() {
            assert_eq!(DialectId::named(id.name()), Some(id));
        }
        for name in ["", "Hello", "echo", "roomcast.json"] {
            assert_eq!(DialectId::named(name), None, "{name}");
        }
    }

    #[test]
    fn the_document_has_a_chapter_for_each_dialect() {
        let text = include_str!("../../../docs/dialects.md");
        let chapters = text.lines().filter_map(|line| line.strip_prefix("## `"));
        let chapters: Vec<_> = chapters.map(|it| it.split('`').next().unwrap()).collect();
        let names: Vec<_> = DialectId::all().map(DialectId::name).collect();
        assert_eq!(chapters, names);
    }
}
