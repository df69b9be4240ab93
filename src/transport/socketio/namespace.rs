//! The engine's namespaces, and who comes in.
//!
//! The engine answers CONNECT and only then calls the connect handler, in a task of its own: what a
//! client sends meanwhile would find no handler and be lost. So everything is set up in the
//! middleware, which runs before CONNECT is answered.

use std::{fmt::Display, future::Future, pin::Pin, sync::Arc};

use socketioxide::{
    SocketIo,
    adapter::LocalAdapter,
    handler::{ConnectHandler, FromConnectParts as _, Value},
};
use tracing::{debug, error};

use super::{
    Shared,
    engine::Socket,
    inbox::{Leave, Listen},
    link::{Link, Words},
    seat::Seat,
    spaces::Claim,
};
use crate::{
    domain::{CloseReason, Rejection, Space, SpacePattern},
    wire::{code, socketio as wire},
};

/// Opens the spaces. `/` is always there; the engine refuses every space that is not.
pub(super) fn open(io: &SocketIo, shared: &Arc<Shared>, spaces: &[SpacePattern]) {
    let door = |kind| Door { shared: Arc::clone(shared), kind };
    io.ns(Space::root().as_raw().to_owned(), door(Kind::Named));
    for pattern in spaces {
        if let Some(space) = pattern.exact()
            && space != Space::root()
        {
            io.ns(space.as_raw().to_owned(), door(Kind::Named));
        }
        if let Some(prefix) = pattern.prefix()
            && let Err(error) = io.dyn_ns(format!("{prefix}{{name}}"), door(Kind::Pattern))
        {
            error!(error = %error, "the spaces {prefix}* cannot be opened");
        }
    }
}

/// The door of a space, or of all spaces of one pattern.
#[derive(Clone)]
struct Door {
    shared: Arc<Shared>,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// Exists always.
    Named,
    /// Exists while somebody is in it.
    Pattern,
}

/// What the engine's middleware answers: the error's text is what the client reads.
type Verdict<'a> = Pin<Box<dyn Future<Output = Result<(), Box<dyn Display + Send>>> + Send + 'a>>;

impl ConnectHandler<LocalAdapter, Self> for Door {
    fn call_middleware<'a>(&'a self, socket: Arc<Socket>, auth: &'a Option<Value>) -> Verdict<'a> {
        Box::pin(async move {
            self.admit(&socket, auth.as_ref()).await.map_err(|rejection| {
                debug!(rejection = ?rejection, "somebody was refused at the door");
                Box::new(message(&rejection)) as Box<dyn Display + Send>
            })
        })
    }

    fn call(&self, socket: Arc<Socket>, _auth: Option<Value>) {
        let Some(link) = Link::of(&socket) else { return };
        let here = link.seats().into_iter().find(|it| it.is_on(&socket));
        let Some(seat) = here else { return };
        if self.is_lost(&socket) {
            link.close(CloseReason::Fault);
        }
        seat.inbox().begin();
    }
}

impl Door {
    /// Lets somebody in, or says why not.
    async fn admit(&self, socket: &Arc<Socket>, auth: Option<&Value>) -> Result<(), Rejection> {
        let link = Link::of(socket).ok_or(Rejection::Internal)?;
        if link.seats().len() >= link.limits().spaces_per_connection_max.get() {
            return Err(Rejection::TooManyRooms);
        }
        let claim = self.claim(socket)?;
        let auth = auth.and_then(|it| it.as_str()).map(|it| &**it);
        let Words { version: _, query, carried } = link.words();
        let hello = wire::hello(socket.ns(), auth, query, carried.clone())?;
        let admission = Box::new(self.shared.chat.admit(hello).await?);
        let seat = Seat::new(Arc::clone(link), socket);
        socket.on_fallback(Listen(Arc::clone(&seat)));
        socket.on_disconnect(Leave(Arc::clone(&seat)));
        link.attach(&seat);
        // Boxed, because whoever spawns it moves it about and makes room for it at every stop.
        let task = Box::pin(seat.hold(admission, claim));
        self.shared.tasks.spawn("socketio seat", task);
        Ok(())
    }

    fn claim(&self, socket: &Arc<Socket>) -> Result<Option<Claim>, Rejection> {
        match self.kind {
            Kind::Named => Ok(None),
            Kind::Pattern => self.shared.spaces.claim(io(socket), socket.ns()).map(Some),
        }
    }

    /// Whether the engine has lost the socket: it may make a namespace of a pattern twice when two
    /// come at once, and forgets the first, and it may take the last one's leaving for the end of a
    /// namespace to which somebody is on the way.
    fn is_lost(&self, socket: &Arc<Socket>) -> bool {
        match self.kind {
            Kind::Named => false,
            Kind::Pattern => {
                io(socket).of(socket.ns()).and_then(|it| it.get_socket(socket.id)).is_none()
            }
        }
    }
}

/// The engine's handle.
fn io(socket: &Arc<Socket>) -> SocketIo {
    SocketIo::from_connect_parts(socket, &None).unwrap_or_else(|never| match never {})
}

/// What the client reads: the code, or the words that the protocol has for an unknown space.
fn message(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::UnknownSpace => "Invalid namespace",
        other => code::rejection(other).code,
    }
}
