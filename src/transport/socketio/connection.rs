//! The connection of a client to a namespace: its requests are handled one after the other.
//!
//! The engine calls the handlers in the task that reads the connection, so they only add to the
//! inbox. One task takes the requests out and owns the chat session: see `serving`.

use std::{
    fmt,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use socketioxide::{handler::Value, socket::Sid};
use tokio::{
    sync::SetOnce,
    task::coop::consume_budget,
    time::{Instant, sleep, timeout},
};
use tracing::debug;

use super::{
    engine::NamespaceSocket,
    inbox::{ConnectionInbox, QueuedRequest},
    packets::PacketFormat,
    session::{AttachedConnection, EngineSession},
};
use crate::{
    chat::{
        Session,
        ports::{ConnectionEnd, RequestMetrics, SpanFact},
    },
    domain::{CloseReason, ConnectionId},
    wire::{
        recovery,
        socketio::{self as wire, Received, ReceivedPacket},
    },
};

/// The delay before a socket that the engine has lost is disconnected.
const FORCE_DISCONNECT_DELAY: Duration = Duration::from_secs(5);

/// The longest time from the close packet of the engine to its report, which it makes at once.
const REPORT_WAIT_MAX: Duration = Duration::from_secs(1);

/// The ids of a connection that can be recovered. They stay the same when it is.
#[derive(Clone)]
pub(super) struct RecoveryIds {
    /// `socket.id` of the client: the engine's id of the first socket.
    pub(super) sid: Box<str>,
    /// The secret with which the client continues the connection.
    pub(super) pid: Box<str>,
}

/// See the module.
pub(super) struct NamespaceConnection {
    session: Arc<EngineSession>,
    // Weak, because the handlers of the socket hold the connection.
    socket: Weak<NamespaceSocket>,
    pub(super) format: PacketFormat,
    inbox: ConnectionInbox,
    /// What the answer to CONNECT has, if the connection can be recovered.
    recovery_ids: Option<RecoveryIds>,
    pub(super) metrics: Arc<RequestMetrics>,
    /// Whether the client has left the namespace: nothing is sent to it any more.
    pub(super) is_disconnected: AtomicBool,
    /// Whether the connection lost its right to exist: no more requests are handled.
    pub(super) revoked: AtomicBool,
    /// Why the server closes the connection. The first reason is kept.
    pub(super) close_reason: OnceLock<CloseReason>,
    /// How the connection ended by the report of the engine.
    pub(super) reported_end: SetOnce<ConnectionEnd>,
    /// The connection in the chat, once it is there.
    in_chat: OnceLock<ConnectionId>,
}

impl RecoveryIds {
    /// The ids of a connection that begins with this socket.
    pub(super) fn new(sid: Sid, secret: &str) -> Self {
        Self { sid: sid.to_string().into(), pid: secret.into() }
    }
}

impl NamespaceConnection {
    /// A connection whose CONNECT is not answered yet.
    pub(super) fn new(
        session: Arc<EngineSession>,
        socket: &Arc<NamespaceSocket>,
        recovery_ids: Option<RecoveryIds>,
        metrics: Arc<RequestMetrics>,
    ) -> Arc<Self> {
        let format = PacketFormat::new(socket.ns(), session.version(), session.parser());
        Arc::new(Self {
            session,
            socket: Arc::downgrade(socket),
            format,
            inbox: ConnectionInbox::default(),
            recovery_ids,
            metrics,
            is_disconnected: AtomicBool::new(false),
            revoked: AtomicBool::new(false),
            close_reason: OnceLock::new(),
            reported_end: SetOnce::new(),
            in_chat: OnceLock::new(),
        })
    }

    /// The session that carries the connection.
    pub(super) fn session(&self) -> &Arc<EngineSession> {
        &self.session
    }

    /// The socket of the engine, while it exists.
    pub(super) fn socket(&self) -> Option<Arc<NamespaceSocket>> {
        self.socket.upgrade()
    }

    /// The requests that wait.
    pub(super) fn inbox(&self) -> &ConnectionInbox {
        &self.inbox
    }

    /// Handles requests until the end of the connection.
    ///
    /// The step of a request is boxed: the task is as large as its largest step, and most of the time
    /// it waits.
    pub(super) async fn serve(self: &Arc<Self>, chat_session: &mut Session) {
        self.in_chat.set(chat_session.connection()).ok();
        while let Some(queued) = self.inbox.next().await {
            self.session.release_requests(1, queued.bytes());
            Box::pin(self.handle(chat_session, queued)).await;
        }
    }

    /// Drops the requests of a connection that ends before its CONNECT is answered.
    pub(super) async fn drop_requests(&self) {
        while let Some(queued) = self.inbox.next().await {
            self.session.release_requests(1, queued.bytes());
        }
    }

    /// Waits until the engine reports why it ends the session, if it does. Its stream may end before
    /// that, and webhooks are told of the connection when the chat session ends.
    pub(super) async fn wait_reported(&self) {
        if self.session.is_closed_by_engine() {
            timeout(REPORT_WAIT_MAX, self.reported_end.wait()).await.ok();
        }
    }

    /// Handles one request.
    async fn handle(self: &Arc<Self>, chat_session: &mut Session, queued: QueuedRequest) {
        // A client with a full inbox must not occupy the thread.
        consume_budget().await;
        let begun_at = Instant::now();
        let QueuedRequest { value, ack, unanswered } = queued;
        let Value::Str(text, attachments) = value else { return };
        let attachments = attachments.map(Vec::from).unwrap_or_default();
        let traced = self.metrics.received();
        let rules = chat_session.request_rules();
        let context = chat_session.request_context(&rules);
        let received = wire::received(&text, ack, &attachments, context);
        drop(rules);
        drop(text);
        let ReceivedPacket { kind, ack, request } = match received {
            Received::Packet(packet) => packet,
            Received::Nothing => return,
            Received::BrokenProtocol => {
                // What waits behind the packet is not handled.
                self.revoked.store(true, Ordering::SeqCst);
                return self.session.refuse_packet();
            }
        };
        let span = traced.map(|it| it.decoded(kind.name()));
        match request {
            Ok(request) => {
                let connection = Arc::clone(self);
                let callback = Box::new(move |reply| {
                    connection.answer(ack, (&kind, begun_at), &reply);
                    drop(unanswered);
                });
                chat_session.handle_traced(span, request, callback).await;
            }
            Err(rejection) => {
                debug!(event = ?kind.sent_name(), %rejection, "request refused");
                if let Some(span) = &span {
                    span.record(SpanFact::Refused(&rejection));
                }
                self.answer(ack, (&kind, begun_at), &Err(rejection));
            }
        }
    }

    /// Disconnects a socket that the engine has lost: when it creates the namespace of a pattern twice,
    /// it drops the first one. The delay lets the client disconnect first, because official clients
    /// do not reconnect after the packet.
    pub(super) async fn force_disconnect(&self) {
        let still_connected = || self.socket().filter(|it| it.connected());
        if still_connected().is_none() {
            return;
        }
        tokio::select! {
            () = sleep(FORCE_DISCONNECT_DELAY) => {}
            () = self.session.tasks().draining() => return,
        }
        if let Some(socket) = still_connected() {
            socket.disconnect().ok();
            self.session.await_engine();
        }
    }
}

impl AttachedConnection for NamespaceConnection {
    fn open_inbox(&self, packet: &str) {
        if self.format.namespace().is_connected_by(packet) {
            self.inbox.open();
        }
    }

    fn connect_answer(&self, packet: &str) -> Option<String> {
        let RecoveryIds { sid, pid } = self.recovery_ids.as_ref()?;
        let is_answer = self.format.namespace().is_connected_by(packet);
        is_answer.then(|| recovery::connect_answer(packet, sid, pid)).flatten()
    }

    fn close_inbox(&self) {
        self.inbox.close();
    }

    fn is_inbox_closed(&self) -> bool {
        self.inbox.is_closed()
    }

    fn is_in(&self, namespace: &str) -> bool {
        !self.is_disconnected.load(Ordering::Relaxed) && self.format.namespace().is(namespace)
    }

    fn is_connected(&self) -> bool {
        !self.inbox.is_pending()
    }

    fn in_chat(&self) -> Option<ConnectionId> {
        self.in_chat.get().copied()
    }

    fn send_closing(&self, reason: CloseReason) {
        self.emit_closing(reason);
    }
}

impl fmt::Debug for NamespaceConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamespaceConnection").field("inbox", &self.inbox).finish_non_exhaustive()
    }
}
