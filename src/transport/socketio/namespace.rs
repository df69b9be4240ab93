//! The namespaces of the engine, and the admission of connections to them.
//!
//! The engine answers CONNECT and then calls the connect handler in a separate task. Events that a
//! client sends in between would find no handler and be lost. So everything is set up in the
//! middleware, which runs before CONNECT is answered.

use std::{fmt::Display, future::Future, pin::Pin, sync::Arc};

use socketioxide::{
    SocketIo,
    adapter::LocalAdapter,
    handler::{ConnectHandler, FromConnectParts as _, Value},
};
use tracing::{Instrument as _, debug, error};

use super::{
    SocketIoContext, connect_error,
    connection::{NamespaceConnection, RecoveryIds},
    engine::NamespaceSocket,
    listeners::{DisconnectListener, MessageListener},
    moving::{self, ReturningClient},
    packets::PacketFormat,
    recovery::{RecoveryIdentity, Resumption, ServedConnection, WaitingSession},
    request::Version,
    serving::{self, MovedSession, Recovery},
    session::{EngineSession, Handshake},
    spaces::SpaceClaim,
};
use crate::{
    chat::{
        Admission, Hello,
        ports::{ClientInfo, Wire},
    },
    domain::{CloseReason, Rejection, Space, SpacePattern},
    wire::{recovery::RecoveryAuth, socketio as wire},
};

/// Opens the spaces. `/` always exists. The engine refuses spaces that are not open.
///
/// A space with other characters than the common ones has several spellings: normalized, composed
/// or percent-encoded. Where there is one in the settings, the engine accepts every namespace, and
/// the middleware refuses those of no space.
pub(super) fn open(io: &SocketIo, context: &Arc<SocketIoContext>, spaces: &[SpacePattern]) {
    let middleware = |kind| ConnectMiddleware { context: Arc::clone(context), kind };
    io.ns(Space::root().as_raw().to_owned(), middleware(NamespaceKind::Named));
    let is_common = |c: char| c.is_ascii_alphanumeric() || "-_./*".contains(c);
    if spaces.iter().any(|pattern| !pattern.to_string().chars().all(is_common)) {
        open_pattern(io, "/{*name}", middleware(NamespaceKind::Pattern));
    }
    for pattern in spaces {
        if let Some(space) = pattern.exact()
            && space != Space::root()
        {
            io.ns(space.as_raw().to_owned(), middleware(NamespaceKind::Named));
        }
        if let Some(prefix) = pattern.prefix().filter(|prefix| prefix.chars().all(is_common)) {
            open_pattern(io, &format!("{prefix}{{name}}"), middleware(NamespaceKind::Pattern));
        }
    }
}

fn open_pattern(io: &SocketIo, route: &str, middleware: ConnectMiddleware) {
    if let Err(error) = io.dyn_ns(route.to_owned(), middleware) {
        error!(error = %error, "opening the spaces {route} failed");
    }
}

/// The middleware of a space, or of all spaces of one pattern.
#[derive(Clone)]
struct ConnectMiddleware {
    context: Arc<SocketIoContext>,
    kind: NamespaceKind,
}

#[derive(Clone, Copy)]
enum NamespaceKind {
    /// The namespace always exists.
    Named,
    /// The namespace exists while it has connections.
    Pattern,
}

/// The session that a client continues.
enum Continued {
    /// One that waits here, after the event with this offset.
    Here(WaitingSession, u64),
    /// One of another node.
    Moved(Box<MovedSession>),
}

impl Continued {
    /// The ids of its connection.
    fn ids(&self) -> &RecoveryIds {
        match self {
            Self::Here(waiting, _) => waiting.ids(),
            Self::Moved(moved) => moved.recovery.ids(),
        }
    }
}

/// The result of a middleware. The client receives the text of the error.
pub(super) type MiddlewareResult<'a> =
    Pin<Box<dyn Future<Output = Result<(), Box<dyn Display + Send>>> + Send + 'a>>;

impl ConnectHandler<LocalAdapter, Self> for ConnectMiddleware {
    fn call_middleware<'a>(
        &'a self,
        socket: Arc<NamespaceSocket>,
        auth: &'a Option<Value>,
    ) -> MiddlewareResult<'a> {
        Box::pin(async move {
            self.admit(&socket, auth.as_ref()).await.map_err(|rejection| {
                debug!(rejection = ?rejection, "connection to a space refused");
                let version = EngineSession::of(&socket).map_or(Version::V3, |it| it.version());
                Box::new(connect_error::engine_text(version, &rejection)) as Box<dyn Display + Send>
            })
        })
    }

    fn call(&self, socket: Arc<NamespaceSocket>, _auth: Option<Value>) {
        if self.is_orphaned(&socket)
            && let Some(session) = EngineSession::of(&socket)
        {
            session.close(CloseReason::Fault);
        }
    }
}

impl ConnectMiddleware {
    /// Admits a connection, or rejects it.
    async fn admit(
        &self,
        socket: &Arc<NamespaceSocket>,
        auth: Option<&Value>,
    ) -> Result<(), Rejection> {
        let session = EngineSession::of(socket).ok_or(Rejection::Internal)?;
        if session.connections().len() >= session.limits().spaces_per_connection_max.get() {
            return Err(Rejection::TooManyRooms);
        }
        let claim = self.claim(socket)?;
        let auth = auth.and_then(|it| it.as_str()).map(|it| &**it);
        let Handshake { query, request_token, client, .. } = session.handshake();
        let mut hello = wire::hello(socket.ns(), auth, query, request_token.clone())?;
        if let Some(client) = client {
            let (query, auth) = (query.clone(), auth.map(Into::into));
            hello.client = ClientInfo { query, auth, ..ClientInfo::clone(client) };
        }
        let recovery = self.recovery_auth(session, auth, &hello);
        let token = recovery.as_ref().and_then(|_| hello.token.clone());
        let space = hello.space.clone();
        let admission = self.context.chat.admit(hello).await?;
        let span = admission.span(Wire::SocketIo);
        let returns = match &recovery {
            Some(auth) => {
                let found = self.find_session((auth, &space), &admission, socket, session);
                Box::pin(found.instrument(span.clone())).await
            }
            None => None,
        };
        let identity = recovery.filter(|it| returns.is_none() && !it.uses_since).map(|auth| {
            RecoveryIdentity {
                ids: RecoveryIds::new(socket.id, &admission.secret()),
                space,
                user: admission.user().cloned(),
                stale_offset: auth.offset(),
            }
        });
        let ids = returns.as_ref().map(Continued::ids).or(identity.as_ref().map(|it| &it.ids));
        let metrics = Arc::clone(&self.context.metrics);
        let connection =
            NamespaceConnection::new(Arc::clone(session), socket, ids.cloned(), metrics);
        socket.on_fallback(MessageListener(Arc::clone(&connection)));
        socket.on_disconnect(DisconnectListener(Arc::clone(&connection)));
        session.attach(&connection);
        let served = ServedConnection { connection, claim };
        // Boxed, because each future that holds the task until it is spawned is as large as the task.
        let task: Pin<Box<dyn Future<Output = ()> + Send>> = match returns {
            Some(Continued::Here(waiting, offset)) => {
                waiting.resume(Resumption { served, offset, token });
                return Ok(());
            }
            Some(Continued::Moved(moved)) => {
                Box::pin(serving::run_moved(served, moved).instrument(span))
            }
            None => {
                let table = &self.context.recovery;
                let recovery =
                    identity.map(|it| Recovery::new(Arc::clone(table), it, &served.connection));
                Box::pin(serving::run(served, admission, recovery).instrument(span))
            }
        };
        self.context.tasks.spawn("socketio namespace", task);
        Ok(())
    }

    /// The session that a client continues, of this node or another one.
    async fn find_session(
        &self,
        (auth, space): (&RecoveryAuth, &Space),
        admission: &Admission,
        socket: &Arc<NamespaceSocket>,
        session: &Arc<EngineSession>,
    ) -> Option<Continued> {
        let table = &self.context.recovery;
        if let Some((waiting, offset)) = table.take(auth, space, admission.user()).await {
            return Some(Continued::Here(waiting, offset));
        }
        let format = PacketFormat::new(socket.ns(), session.version(), session.parser());
        let client = ReturningClient { auth, space, format, peer: session.peer() };
        moving::take(&self.context, client, admission).await.map(Continued::Moved)
    }

    /// What the client says about recovery, if its connection can be recovered.
    fn recovery_auth(
        &self,
        session: &EngineSession,
        auth: Option<&str>,
        hello: &Hello,
    ) -> Option<RecoveryAuth> {
        if !self.context.recovery.is_enabled() || session.version() == Version::V3 {
            return None;
        }
        let recovery = RecoveryAuth::of_auth(auth);
        let uses_since = recovery.uses_since || !hello.since.is_empty();
        Some(RecoveryAuth { uses_since, ..recovery })
    }

    fn claim(&self, socket: &Arc<NamespaceSocket>) -> Result<Option<SpaceClaim>, Rejection> {
        match self.kind {
            NamespaceKind::Named => Ok(None),
            NamespaceKind::Pattern => self.context.spaces.claim(io(socket), socket.ns()).map(Some),
        }
    }

    /// Whether the engine has lost the socket. With two first connections at once the engine creates
    /// the namespace of a pattern twice and drops the first one. And when the last connection leaves,
    /// the namespace may be deleted while another client connects to it.
    fn is_orphaned(&self, socket: &Arc<NamespaceSocket>) -> bool {
        match self.kind {
            NamespaceKind::Named => false,
            NamespaceKind::Pattern => {
                io(socket).of(socket.ns()).and_then(|it| it.get_socket(socket.id)).is_none()
            }
        }
    }
}

/// The handle of the engine.
fn io(socket: &Arc<NamespaceSocket>) -> SocketIo {
    SocketIo::from_connect_parts(socket, &None).unwrap_or_else(|never| match never {})
}
